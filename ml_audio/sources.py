"""Where the audio service's models are."""

from ml_audio.catalog import SHORT_NAMES
from ml_audio.settings import SHIPPED
from shared import sources
from shared.sources import Places, Source

__all__ = ["Source", "Sources"]


class Sources(sources.Sources):
    places = Places(
        service="audio",
        shipped=SHIPPED,
        short_names=SHORT_NAMES,
        config="config.json",
        hub_files=("*.safetensors", "*.json", "tokenizer*", "*.model", "merges.txt", "vocab.txt", "*.jinja", "*.npy"),
        not_fetched=("*.fp16.*", "*fp32*", "*flax*", "*onnx*", "ggml*"),
    )
