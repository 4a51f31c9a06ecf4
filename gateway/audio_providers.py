"""Who answers audio requests, put together from the settings."""

from collections.abc import Mapping

from gateway.adapters.fallback_audio import FallbackAudio
from gateway.audio import Audio, AudioModel, ProviderAudio
from gateway.names import STARTER, Aliases, ModelNames, column, counterparts, merged, own
from gateway.providers import PROVIDERS, build, default_of, ids, needs_url, setting_of
from gateway.settings import Settings
from shared.http import Transport

MODALITY = "audio"


def build_audio(settings: Settings, aliases: Aliases, transport: Transport | None) -> Audio | None:
    """None where audio is not offered. Raises ValueError saying what would work when a choice cannot be served."""
    name = settings.provider(MODALITY)
    setting = setting_of(MODALITY, settings)
    model = build(MODALITY, setting, name, settings, transport)
    if model is None:
        if settings.of(MODALITY).provider:
            raise needs_url(setting, name, MODALITY)
        return None
    first = _provider_audio(name, model, _column(aliases, name), default_of(MODALITY, name, settings))
    second = _build_second(name, settings, aliases, transport)
    return FallbackAudio(first, second) if second else first


def _provider_audio(name: str, model: AudioModel, aliases: Mapping[str, str], default: str | None) -> ProviderAudio:
    row = PROVIDERS[name]
    known = {**aliases, merged(MODALITY, STARTER): STARTER} if row.closed else aliases
    return ProviderAudio(name, model, ModelNames(known, ids(model), row.closed), default)


def _column(aliases: Aliases, provider: str) -> dict[str, str]:
    """The table speaks of models by their merged names; a service knows its own."""
    found = column(aliases, provider)
    return {name: own(MODALITY, value) for name, value in found.items()} if PROVIDERS[provider].closed else found


def _build_second(
    first: str, settings: Settings, aliases: Aliases, transport: Transport | None
) -> ProviderAudio | None:
    """The provider of MODEL_FALLBACK, where it has audio; a name that it does not know is refused there."""
    name = settings.model_fallback
    if not name or name == first:
        return None
    model = build(MODALITY, "MODEL_FALLBACK", name, settings, transport)
    if model is None:
        return None
    names = counterparts(aliases, first, name) | _column(aliases, name)
    return _provider_audio(name, model, names, PROVIDERS[name].defaults.get(MODALITY))
