"""Who answers: one object over all modalities, whichever providers the environment names.

    spec = await get_model_adapter().generate_design_spec("Launch your startup", "linkedin", "square")

Who can do what is `gateway.providers.PROVIDERS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from gateway.adapters.fallback import FallbackText
from gateway.adapters.shadow import ShadowText
from gateway.audio import Audio
from gateway.audio_providers import build_audio
from gateway.image_providers import build_images
from gateway.images import Images
from gateway.names import Aliases, ModelNames, column, counterparts, read_aliases
from gateway.prices import Prices
from gateway.providers import PROVIDERS, able, build, build_first, default_of, ids, needs_url
from gateway.settings import Settings
from gateway.shadow_store import ShadowStore
from gateway.text import ProviderText, Text, TextModel, answered_by
from gateway.tuning import Tuning
from shared.design import Brief, ask_for_design, messages, response_format
from shared.errors import UnsupportedByProvider, UpstreamInvalid
from shared.http import Transport


@dataclass(frozen=True)
class Designed:
    spec: dict[str, Any]
    model: str
    provider: str


class ModelAdapter:
    """What the configured providers can do; None is what is not offered."""

    def __init__(
        self,
        text: Text | None,
        images: Images | None,
        audio: Audio | None,
        tuning: Tuning | None,
        design_models: Mapping[str, str],
    ) -> None:
        self.text = text
        self.images = images
        self.audio = audio
        self.tuning = tuning
        self.design_models = design_models

    @property
    def offered(self) -> dict[str, Text | Images | Audio]:
        """modality -> who answers it."""
        parts = {"text": self.text, "image": self.images, "audio": self.audio}
        return {modality: part for modality, part in parts.items() if part is not None}

    def offered_text(self) -> Text:
        """Raises UnsupportedByProvider when there is no text."""
        if self.text is None:
            raise UnsupportedByProvider("text is not offered: set ML_TEXT_URL, or MODEL_PROVIDER=openai")
        return self.text

    def offered_images(self) -> Images:
        """Raises UnsupportedByProvider when there are no images."""
        if self.images is None:
            raise UnsupportedByProvider("images are not offered: set ML_IMAGE_URL, or MODEL_PROVIDER_IMAGE=openai")
        return self.images

    def offered_audio(self) -> Audio:
        """Raises UnsupportedByProvider when there is no audio."""
        if self.audio is None:
            raise UnsupportedByProvider("audio is not offered: set ML_AUDIO_URL, or MODEL_PROVIDER_AUDIO=openai")
        return self.audio

    async def generate_design(
        self, brief: Brief, model: str | None = None, elements: Sequence[str] = ("text",)
    ) -> Designed:
        """The design, and who made it. Raises UpstreamInvalid when no answer was usable."""
        text = self.offered_text()
        body = {
            "model": model or self.design_models.get(brief.platform),
            "messages": messages(brief),
            "response_format": response_format(brief, elements),
        }

        async def ask(fields: Mapping[str, Any]) -> tuple[list[str], tuple[str, str]]:
            answer: Any = orjson.loads(await text.answer("chat/completions", {**body, **fields}))
            return _contents(answer), (str(answer.get("model") or body["model"]), answered_by(text))

        spec, (made_by, provider) = await ask_for_design(ask, brief, elements)
        return Designed(spec, made_by, provider)

    async def generate_design_spec(
        self, prompt: str, platform: str, format: str, model: str | None = None, elements: Sequence[str] = ("text",)
    ) -> dict[str, Any]:
        """The design spec for a brief. Raises InvalidRequest for an unknown canvas, and what the provider raises."""
        brief = Brief(prompt=prompt, platform=platform, format=format)
        return (await self.generate_design(brief, model, elements)).spec

    async def close(self) -> None:
        """Let go of the connections."""
        for part in self.offered.values():
            await part.close()
        if self.tuning is not None:
            await self.tuning.close()


def _contents(answer: Any) -> list[str]:
    try:
        return [choice["message"]["content"] or "" for choice in answer["choices"]]
    except (KeyError, TypeError) as error:
        raise UpstreamInvalid("the answer has no message") from error


def build_model_adapter(settings: Settings, transport: Transport | None = None) -> ModelAdapter:
    """All modalities for `settings`. Raises ValueError saying what would work when a choice cannot be served."""
    aliases = read_aliases(settings.model_aliases)
    text = _build_text(settings, aliases, transport)
    images = build_images(settings, aliases, transport)
    audio = build_audio(settings, aliases, transport)
    train = PROVIDERS[settings.provider("text")].tuning
    tuning = train(settings, transport) if train else None
    return ModelAdapter(text, images, audio, tuning, settings.design_model)


def _build_text(settings: Settings, aliases: Aliases, transport: Transport | None) -> Text | None:
    built = build_first("text", settings, transport)
    if built is None:
        if settings.model_fallback or settings.model_shadow:
            raise ValueError(
                "MODEL_FALLBACK and MODEL_SHADOW stand beside a provider: set ML_TEXT_URL, or MODEL_PROVIDER"
            )
        return None
    name, model = built
    default = default_of("text", name, settings)
    first: Text = _provider_text(name, model, column(aliases, name), default)
    if settings.model_fallback:
        second = _build_second("MODEL_FALLBACK", settings.model_fallback, name, default, settings, aliases, transport)
        first = FallbackText(first, second)
    if settings.model_shadow:
        second = _build_second("MODEL_SHADOW", settings.model_shadow, name, default, settings, aliases, transport)
        store = ShadowStore(settings.data_dir / "gateway.db")
        first = ShadowText(first, second, settings.model_shadow_rate, store, Prices(settings.prices))
    return first


def _provider_text(name: str, model: TextModel, aliases: Mapping[str, str], default: str | None) -> ProviderText:
    return ProviderText(name, model, ModelNames(aliases, ids(model), PROVIDERS[name].closed), default)


def _build_second(
    setting: str,
    name: str,
    first: str,
    first_default: str | None,
    settings: Settings,
    aliases: Aliases,
    transport: Transport | None,
) -> ProviderText:
    """The provider beside `first`, with its own names for the first's models."""
    if name == first:
        raise ValueError(f"{setting}={name} is who answers already; choose {able('text', but=first)}")
    model = build("text", setting, name, settings, transport)
    if model is None:
        raise needs_url(setting, name, "text")
    names = counterparts(aliases, first, name) | column(aliases, name)
    default = names.get(first_default or "") or PROVIDERS[name].defaults.get("text")
    if default is None:
        row = f'{{"{first_default or "name"}": {{"{name}": "its model"}}}}'
        raise ValueError(f"{setting}={name} needs a model for requests that name none: put {row} into MODEL_ALIASES")
    return _provider_text(name, model, names, default)


@cache
def get_model_adapter() -> ModelAdapter:
    """The adapter that the environment asks for; read once per process."""
    return build_model_adapter(Settings())
