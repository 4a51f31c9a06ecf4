"""The providers, and what each can do: being in the table is the capability.

A new provider is one file per modality in `gateway/adapters` and one row here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.adapters import custom, custom_audio, custom_images, custom_tuning
from gateway.audio import AudioModel
from gateway.images import ImageModel
from gateway.modality import Catalog
from gateway.names import STARTER, Aliases, ModelNames, column, merged, own
from gateway.settings import Settings
from gateway.text import TextModel
from gateway.tuning import Tuning
from shared.http import Transport

BuildText = Callable[[Settings, Transport | None], TextModel | None]
"""None when the settings do not say where the modality is: it is then not offered. ValueError when it cannot work."""
BuildImages = Callable[[Settings, Transport | None], ImageModel | None]
BuildAudio = Callable[[Settings, Transport | None], AudioModel | None]
BuildTuning = Callable[[Settings, Transport | None], Tuning | None]


@dataclass(frozen=True)
class Provider:
    """How to build each modality that this provider can do, by the modality's name."""

    text: BuildText | None = None
    image: BuildImages | None = None
    audio: BuildAudio | None = None
    tuning: BuildTuning | None = None
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
    """modality -> the model of requests that name none, while MODEL_TEXT and the like are not set."""
    closed: bool = True
    """Whether a name that is not in its list of models does not exist; else the provider is asked each time."""


def _build_openai_text(settings: Settings, transport: Transport | None) -> TextModel:
    from gateway.adapters import openai  # only where it is asked for: the SDK takes most of a second to import

    return openai.build_text(settings, transport)


def _build_openai_images(settings: Settings, transport: Transport | None) -> ImageModel:
    from gateway.adapters import openai_images

    return openai_images.build_images(settings, transport)


def _build_openai_audio(settings: Settings, transport: Transport | None) -> AudioModel:
    from gateway.adapters import openai_audio

    return openai_audio.build_audio(settings, transport)


def _build_openai_tuning(settings: Settings, transport: Transport | None) -> Tuning:
    from gateway.adapters import openai_tuning

    return openai_tuning.build_tuning(settings, transport)


PROVIDERS: Mapping[str, Provider] = {
    "custom": Provider(
        text=custom.build_text,
        image=custom_images.build_images,
        audio=custom_audio.build_audio,
        tuning=custom_tuning.build_tuning,
        defaults={"text": "starter", "image": "starter", "audio": "starter"},
    ),
    "openai": Provider(
        text=_build_openai_text,
        image=_build_openai_images,
        audio=_build_openai_audio,
        tuning=_build_openai_tuning,
        closed=False,
    ),
}


def setting_of(modality: str, settings: Settings) -> str:
    """The variable that says who answers."""
    return f"MODEL_PROVIDER_{modality.upper()}" if settings.of(modality).provider else "MODEL_PROVIDER"


def default_of(modality: str, name: str, settings: Settings) -> str | None:
    """The model of requests that name none, with the provider `name`."""
    return settings.of(modality).model or PROVIDERS[name].defaults.get(modality)


def build(modality: str, setting: str, name: str, settings: Settings, transport: Transport | None) -> Any:
    """The provider's side of a modality, None when it is nowhere. Raises ValueError naming the `setting`."""
    make = getattr(PROVIDERS.get(name), modality, None)
    if make is None:
        raise ValueError(f"{setting}={name} cannot answer {modality}; choose {able(modality)}")
    try:
        return make(settings, transport)
    except ValueError as error:
        raise ValueError(f"{setting}={name}: {error}") from error


def build_first(modality: str, settings: Settings, transport: Transport | None) -> tuple[str, Any] | None:
    """(who answers, its side of the modality), None where the modality is not offered.

    Raises ValueError saying what would work when a choice cannot be served.
    """
    name, setting = settings.provider(modality), setting_of(modality, settings)
    model = build(modality, setting, name, settings, transport)
    if model is None and settings.of(modality).provider:
        raise needs_url(setting, name, modality)
    return None if model is None else (name, model)


def column_of(modality: str, provider: str, aliases: Aliases) -> dict[str, str]:
    """The table speaks of models by their merged names; a service knows its own."""
    found = column(aliases, provider)
    return {name: own(modality, value) for name, value in found.items()} if PROVIDERS[provider].closed else found


def names_of(modality: str, provider: str, model: Catalog, aliases: Mapping[str, str]) -> ModelNames:
    """What requests may call its models: by alias, and what ships also by its merged name."""
    row = PROVIDERS[provider]
    known = {**aliases, merged(modality, STARTER): STARTER} if row.closed else aliases
    return ModelNames(known, ids(model), row.closed)


def able(modality: str, but: str | None = None) -> str:
    """Who can answer it, for a message."""
    names = (name for name, row in PROVIDERS.items() if getattr(row, modality) and name != but)
    return " or ".join(sorted(names))


def ids(catalog: Catalog) -> Callable[[], Awaitable[set[str]]]:
    """What lists the names of a provider's models."""

    async def fetch() -> set[str]:
        return {str(found["id"]) for found in await catalog.models()}

    return fetch


def needs_url(setting: str, name: str, modality: str) -> ValueError:
    return ValueError(f"{setting}={name} needs ML_{modality.upper()}_URL, the {modality} service's address")
