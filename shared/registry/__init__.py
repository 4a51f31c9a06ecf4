"""Model versions on disk: published, resolved by name, promoted, rolled back, deleted, collected.

python -m shared.registry list|show|promote|rollback|delete|gc
"""

from shared.registry.collect import collect
from shared.registry.describe import describe
from shared.registry.names import CARD, NAME, check_name, model_of
from shared.registry.store import (
    Version,
    delete,
    list_models,
    promote,
    publish,
    remove,
    remove_version,
    resolve,
    roll_back,
    versions,
)

__all__ = [
    "CARD",
    "NAME",
    "Version",
    "check_name",
    "collect",
    "delete",
    "describe",
    "list_models",
    "model_of",
    "promote",
    "publish",
    "remove",
    "remove_version",
    "resolve",
    "roll_back",
    "versions",
]
