"""A version as the API tells it: what it was made of, from what, how, and how well."""

from shared.registry.store import Version
from shared.wire.models import ModelVersion


def describe(version: Version) -> ModelVersion:
    card = version.card
    return ModelVersion(
        id=version.id,
        model=version.name,
        version=version.version,
        number=version.number,
        created=card["created"],
        served=version.served,
        base=version.base,
        parent=card.get("parent") or version.base,
        method=card.get("trainer"),
        arguments=card.get("args", {}),
        dataset_sha256=card.get("dataset_sha256"),
        metrics=card.get("metrics", {}),
        duration_s=card.get("metrics", {}).get("seconds"),
    )
