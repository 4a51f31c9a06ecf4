"""Where the image service's models are."""

from ml_image.catalog import SHORT_NAMES
from ml_image.settings import SHIPPED, ImageSettings
from shared import sources
from shared.sources import Places, Source

__all__ = ["Source", "Sources"]

CONFIG = "model_index.json"
HUB_FILES = ("*/*.safetensors", "*.json", "*/tokenizer*", "*/spiece.model", "*/merges.txt", "*/vocab.txt")
NOT_FETCHED = ("safety_checker/*", "*.fp16.*", "*.non_ema.*", "*flax*", "*onnx*", "*openvino*")
"""Other forms of the same weights, and a filter that is not run."""


class Sources(sources.Sources):
    def __init__(self, settings: ImageSettings) -> None:
        super().__init__(
            Places(
                service="image",
                data_dir=settings.data_dir,
                hub_dir=settings.hub_dir,
                shipped=SHIPPED,
                short_names=SHORT_NAMES,
                config=CONFIG,
                hub_files=HUB_FILES,
                not_fetched=NOT_FETCHED,
                token=settings.hf_token,
            )
        )
