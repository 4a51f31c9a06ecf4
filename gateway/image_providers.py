"""Who answers image requests, put together from the settings."""

import logging

from gateway.adapters.fallback_images import FallbackImages
from gateway.adapters.shadow_images import ShadowImages
from gateway.images import Images, ProviderImages
from gateway.names import STARTER, Aliases, counterparts, merged
from gateway.prices import Prices
from gateway.providers import PROVIDERS, build, build_first, column_of, default_of, names_of
from gateway.settings import Settings
from gateway.shadow_store import ShadowStore
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
    names = names_of(MODALITY, name, model, column_of(MODALITY, name, aliases))
    images: Images = ProviderImages(name, model, names, default)
    second = _build_second("MODEL_FALLBACK", settings.model_fallback, name, default, settings, aliases, transport)
    if second:
        images = FallbackImages(images, second)
    other = _build_second("MODEL_SHADOW", settings.model_shadow, name, default, settings, aliases, transport)
    if other:
        store = ShadowStore(settings.data_dir / "gateway.db")
        images = ShadowImages(images, other, settings.model_shadow_rate, store, Prices(settings.prices))
    return images


def _build_second(
    setting: str,
    name: str | None,
    first: str,
    first_default: str | None,
    settings: Settings,
    aliases: Aliases,
    transport: Transport | None,
) -> ProviderImages | None:
    """The provider that `setting` names, where it makes images and a name for the default is known."""
    if not name or name == first:
        return None
    model = build(MODALITY, setting, name, settings, transport)
    if model is None:
        log.warning("%s=%s: images have none, since ML_IMAGE_URL is not set", setting, name)
        return None
    named = merged(MODALITY, first_default or "")
    names = counterparts(aliases, first, name) | column_of(MODALITY, name, aliases)
    names.pop(STARTER, None)  # of a row that speaks of text's
    if named in names:
        names[first_default or ""] = names[named]
    default = names.get(named) or PROVIDERS[name].defaults.get(MODALITY)
    if default is None:
        row = f'{{"{named or "name"}": {{"{name}": "its model"}}}}'
        log.warning("%s=%s: images have none; put %s into MODEL_ALIASES", setting, name, row)
        return None
    return ProviderImages(name, model, names_of(MODALITY, name, model, names), default)
