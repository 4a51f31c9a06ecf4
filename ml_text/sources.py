"""Where the text service's models are."""

from ml_text.catalog import SHORT_NAMES
from ml_text.settings import SHIPPED
from shared import sources
from shared.sources import ADAPTER_CONFIG, Places, Source, parameter_count

__all__ = ["ADAPTER_CONFIG", "Source", "Sources", "parameter_count"]


class Sources(sources.Sources):
    places = Places(
        service="text",
        shipped=SHIPPED,
        short_names=SHORT_NAMES,
        config="config.json",
        hub_files=("*.safetensors", "*.json", "tokenizer*", "*.model", "merges.txt", "vocab.txt", "*.jinja"),
    )
