"""Where a run lives, and what happens at its end: the model folder is published under a name."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared import registry
from shared.training.loop import State
from shared.training.settings import TrainingArgs


def folder_for(args: TrainingArgs, data_dir: Path, name: str) -> Path:
    """`output_dir`, or DATA_DIR/runs/NAME; the name is checked before hours are spent on it."""
    registry.check_name(name)
    folder = args.output_dir or data_dir / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def finish(
    args: TrainingArgs, data_dir: Path, name: str, folder: Path, state: State, card: dict[str, Any]
) -> str:
    """Publish `folder`/model as `name`, unless it is only to stay in its folder; what was made is returned."""
    if not args.publish:
        return str(folder / "model")
    full = {
        "service": "text",
        **card,
        "args": args.model_dump(mode="json", exclude_none=True),
        "metrics": {key: value for key, value in asdict(state).items() if value == value},
    }
    version = registry.publish(data_dir, name, folder / "model", full)
    print(f"published {name} as version {version.version}", file=sys.stderr)
    return name
