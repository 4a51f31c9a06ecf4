"""Where the image service's models are."""

from ml_image.catalog import SHORT_NAMES
from ml_image.settings import SHIPPED
from shared import sources
from shared.sources import Places, Source

__all__ = ["Source", "Sources"]

CONFIG = "model_index.json"


class Sources(sources.Sources):
    places = Places(
        service="image",
        shipped=SHIPPED,
        short_names=SHORT_NAMES,
        config=CONFIG,
        hub_files=("*/*.safetensors", "*.json", "*/tokenizer*", "*/spiece.model", "*/merges.txt", "*/vocab.txt"),
        # other forms of the same weights, and a filter that is not run
        not_fetched=("safety_checker/*", "*.fp16.*", "*.non_ema.*", "*flax*", "*onnx*", "*openvino*"),
    )
