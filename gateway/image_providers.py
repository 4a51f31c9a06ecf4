"""Who answers image requests, put together from the settings."""

import logging
from collections.abc import Mapping

from gateway.adapters.fallback_images import FallbackImages
from gateway.images import ImageModel, Images, ProviderImages
from gateway.names import STARTER, Aliases, ModelNames, column, counterparts, merged, own
from gateway.providers import PROVIDERS, build, default_of, ids, needs_url, setting_of
from gateway.settings import Settings
from shared.http import Transport

MODALITY = "image"
log = logging.getLogger(__name__)


def build_images(settings: Settings, aliases: Aliases, transport: Transport | None) -> Images | None:
    """None where images are not offered. Raises ValueError saying what would work when a choice cannot be served."""
    name = settings.provider(MODALITY)
    setting = setting_of(MODALITY, settings)
    model = build(MODALITY, setting, name, settings, transport)
    if model is None:
        if settings.of(MODALITY).provider:
            raise needs_url(setting, name, MODALITY)
        return None
    default = default_of(MODALITY, name, settings)
    first = _provider_images(name, model, _column(aliases, name), default)
    second = _build_second(name, default, settings, aliases, transport)
    return FallbackImages(first, second) if second else first


def _provider_images(name: str, model: ImageModel, aliases: Mapping[str, str], default: str | None) -> ProviderImages:
    row = PROVIDERS[name]
    known = {**aliases, merged(MODALITY, STARTER): STARTER} if row.closed else aliases
    return ProviderImages(name, model, ModelNames(known, ids(model), row.closed), default)


def _column(aliases: Aliases, provider: str) -> dict[str, str]:
    """The table speaks of models by their merged names; a service knows its own."""
    found = column(aliases, provider)
    return {name: own(MODALITY, value) for name, value in found.items()} if PROVIDERS[provider].closed else found


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
    names = counterparts(aliases, first, name) | _column(aliases, name)
    names.pop(STARTER, None)  # of a row that speaks of text's
    if named in names:
        names[first_default or ""] = names[named]
    default = names.get(named) or PROVIDERS[name].defaults.get(MODALITY)
    if default is None:
        row = f'{{"{named or "name"}": {{"{name}": "its model"}}}}'
        log.warning("MODEL_FALLBACK=%s: images have none; put %s into MODEL_ALIASES", name, row)
        return None
    return _provider_images(name, model, names, default)
