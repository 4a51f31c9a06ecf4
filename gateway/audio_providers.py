"""Who answers audio requests, put together from the settings."""

from gateway.adapters.fallback_audio import FallbackAudio
from gateway.audio import Audio, ProviderAudio
from gateway.names import Aliases, counterparts
from gateway.providers import PROVIDERS, build, build_first, column_of, default_of, names_of
from gateway.settings import Settings
from shared.http import Transport

MODALITY = "audio"


def build_audio(settings: Settings, aliases: Aliases, transport: Transport | None) -> Audio | None:
    """None where audio is not offered. Raises ValueError saying what would work when a choice cannot be served."""
    built = build_first(MODALITY, settings, transport)
    if built is None:
        return None
    name, model = built
    names = names_of(MODALITY, name, model, column_of(MODALITY, name, aliases))
    first = ProviderAudio(name, model, names, default_of(MODALITY, name, settings))
    second = _build_second(name, settings, aliases, transport)
    return FallbackAudio(first, second) if second else first


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
    known = counterparts(aliases, first, name) | column_of(MODALITY, name, aliases)
    names = names_of(MODALITY, name, model, known)
    return ProviderAudio(name, model, names, PROVIDERS[name].defaults.get(MODALITY))
