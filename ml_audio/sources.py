"""Where the audio service's models are."""

from ml_audio.catalog import SHORT_NAMES
from ml_audio.settings import SHIPPED, AudioSettings
from shared import sources
from shared.sources import Places, Source

__all__ = ["Source", "Sources"]

HUB_FILES = ("*.safetensors", "*.json", "tokenizer*", "*.model", "merges.txt", "vocab.txt", "*.jinja", "*.npy")
NOT_FETCHED = ("*.fp16.*", "*fp32*", "*flax*", "*onnx*", "ggml*")


class Sources(sources.Sources):
    def __init__(self, settings: AudioSettings) -> None:
        super().__init__(
            Places(
                service="audio",
                data_dir=settings.data_dir,
                hub_dir=settings.hub_dir,
                shipped=SHIPPED,
                short_names=SHORT_NAMES,
                config="config.json",
                hub_files=HUB_FILES,
                not_fetched=NOT_FETCHED,
                token=settings.hf_token,
            )
        )
