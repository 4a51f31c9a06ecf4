"""Who answers image requests, put together from the settings."""

import logging

from gateway.adapters.fallback_images import FallbackImages
from gateway.images import Images, ProviderImages
from gateway.names import STARTER, Aliases, counterparts, merged
from gateway.providers import PROVIDERS, build, build_first, column_of, default_of, names_of
from gateway.settings import Settings
from shared.http import Transport

MODALITY = "image"
log = logging.getLogger(__name__)


def build_images(settings: Settings, aliases: Aliases, transport: Transport | None) -> Images | None:
    """None where images are not offered. Raises ValueError saying what would work when a choice cannot be served."""
    built = build_first(MODALITY, settings, transport)
    if built is None:
        return None
    name, model = built
    default = default_of(MODALITY, name, settings)
    first = ProviderImages(name, model, names_of(MODALITY, name, model, column_of(MODALITY, name, aliases)), default)
    second = _build_second(name, default, settings, aliases, transport)
    return FallbackImages(first, second) if second else first


def _build_second(
    first: str, first_default: str | None, settings: Settings, aliases: Aliases, transport: Transport | None
) -> ProviderImages | None:
    """The provider of MODEL_FALLBACK, where it makes images and a name for the default is known."""
    name = settings.model_fallback
    if not name or name == first:
        return None
    model = build(MODALITY, "MODEL_FALLBACK", name, settings, transport)
    if model is None:
        log.warning("MODEL_FALLBACK=%s: images have none, since ML_IMAGE_URL is not set", name)
        return None
    named = merged(MODALITY, first_default or "")
    names = counterparts(aliases, first, name) | column_of(MODALITY, name, aliases)
    names.pop(STARTER, None)  # of a row that speaks of text's
    if named in names:
        names[first_default or ""] = names[named]
    default = names.get(named) or PROVIDERS[name].defaults.get(MODALITY)
    if default is None:
        row = f'{{"{named or "name"}": {{"{name}": "its model"}}}}'
        log.warning("MODEL_FALLBACK=%s: images have none; put %s into MODEL_ALIASES", name, row)
        return None
    return ProviderImages(name, model, names_of(MODALITY, name, model, names), default)
