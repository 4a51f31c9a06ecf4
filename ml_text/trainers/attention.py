"""Which models may attend to packed samples one by one: see shared.training.attention."""

from typing import Any

from ml_text import catalog
from shared.training.attention import use_by_sample


def attend_by_sample(model: Any) -> None:
    """Where it pays and is the same: on a CPU, in decoders whose layers all look back without a limit."""
    family = catalog.FAMILIES.get(model.config.model_type)
    if family is not None and family.kind == "decoder" and family.windows == "none":
        use_by_sample(model)
