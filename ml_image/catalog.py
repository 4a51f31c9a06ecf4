"""Which models there are: FAMILIES (pipelines of diffusers), SHORT_NAMES (hub repos).

A row in FAMILIES is the capability: generating, editing, adapters and the tests over all families follow from it.
"""

import json
from pathlib import Path
from typing import Any

from ml_image.families.family import Family
from ml_image.families.flux import FLUX
from ml_image.families.mmdit import STABLE_DIFFUSION_3
from ml_image.families.unet import STABLE_DIFFUSION, STABLE_DIFFUSION_XL
from shared.errors import InvalidRequest

SHORT_NAMES = {
    "sd-1.5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
    "sd-3": "stabilityai/stable-diffusion-3-medium-diffusers",
    "sd-3.5": "stabilityai/stable-diffusion-3.5-medium",
    "flux-schnell": "black-forest-labs/FLUX.1-schnell",
    "flux-dev": "black-forest-labs/FLUX.1-dev",
}

FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": STABLE_DIFFUSION,
    "StableDiffusionXLPipeline": STABLE_DIFFUSION_XL,
    "StableDiffusion3Pipeline": STABLE_DIFFUSION_3,
    "FluxPipeline": FLUX,
}
"""By the name of the class in model_index.json."""

INDEX = "model_index.json"
LIBRARIES = ("diffusers", "transformers")


def read_index(folder: Path) -> dict[str, Any]:
    """model_index.json. InvalidRequest when it cannot be read, names a pipeline that is not supported, or parts that
    are code of the repository."""
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text())
        kind = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(f"{INDEX} in {folder.name} cannot be read: {error}", param="model") from error
    if kind not in FAMILIES:
        raise InvalidRequest(
            f"the pipeline {kind!r} is not supported; there is {', '.join(FAMILIES)}",
            param="model",
            code="unsupported_model",
        )
    for name, value in index.items():
        if isinstance(value, list) and value and value[0] not in (None, *LIBRARIES):
            raise InvalidRequest(f"{folder.name}: {name} is code of the repository, which is not run", param="model")
    return index


def components(index: dict[str, Any]) -> list[str]:
    """The parts that the pipeline has: those that model_index.json gives a class."""
    return [name for name, value in index.items() if isinstance(value, list) and value and value[0] is not None]


def family_of(pipe: Any) -> Family:
    """Of a pipeline in memory."""
    return FAMILIES[type(pipe).__name__]


def get_family(folder: Path) -> Family:
    """The row for the pipeline in `folder`; InvalidRequest when there is none."""
    return FAMILIES[read_index(folder)["_class_name"]]
