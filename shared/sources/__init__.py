"""From a model's name to its folder, the same way in every service."""

from shared.sources.folders import ADAPTER_CONFIG, Places, Source, Sources, parameter_count

__all__ = ["ADAPTER_CONFIG", "Places", "Source", "Sources", "parameter_count"]
