"""Where the text service's models are."""

from ml_text.catalog import SHORT_NAMES
from ml_text.settings import SHIPPED, TextSettings
from shared import sources
from shared.sources import ADAPTER_CONFIG, Places, Source, parameter_count

__all__ = ["ADAPTER_CONFIG", "Source", "Sources", "parameter_count"]

HUB_FILES = ("*.safetensors", "*.json", "tokenizer*", "*.model", "merges.txt", "vocab.txt", "*.jinja")


class Sources(sources.Sources):
    def __init__(self, settings: TextSettings) -> None:
        super().__init__(
            Places(
                service="text",
                data_dir=settings.data_dir,
                hub_dir=settings.hub_dir,
                shipped=SHIPPED,
                short_names=SHORT_NAMES,
                config="config.json",
                hub_files=HUB_FILES,
                token=settings.hf_token,
            )
        )
