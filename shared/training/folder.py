"""Where a run lives, and what happens at its two ends: the folder is checked before, the model published after."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared import registry
from shared.errors import InvalidRequest
from shared.jobs import fence
from shared.registry.model_card import write_model_card
from shared.training import checkpoints
from shared.training.plan import State
from shared.training.processes import is_main, wait
from shared.training.settings import TrainingArgs

RESULT = "result.json"
"""Marks a run that came to its end; the next one in the same folder may clear it away."""


def prepare_folder(args: TrainingArgs, data_dir: Path, name: str) -> Path:
    """`output_dir`, or DATA_DIR/runs/NAME, ready to start or to resume. InvalidRequest before hours are spent."""
    registry.check_name(name)
    folder = args.output_dir or data_dir / "runs" / name
    if not is_main():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    fence.check(folder, args.attempt)
    if args.resume:
        checkpoints.newest(folder)
        return folder
    if checkpoints.found(folder) and not (folder / RESULT).is_file() and not args.restart:
        raise InvalidRequest(
            f"{folder} holds an unfinished run: --resume goes on with it, --restart throws it away", param="output_dir"
        )
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
    for old in (checkpoints.BEST, RESULT, "events.jsonl"):
        (folder / old).unlink(missing_ok=True)
    return folder


def finish(
    args: TrainingArgs,
    data_dir: Path,
    name: str,
    folder: Path,
    state: State,
    save: Callable[[Path], None],
    card: dict[str, Any],
    check: Callable[[Path], None] | None = None,
) -> str:
    """Save to `folder`/model and publish it as `name`, unless it is only to stay there; name or folder is returned.

    `check` is given the saved folder before anything is published; what it raises ends the run, and the folder stays.
    """
    fence.check(folder, args.attempt)
    draft, model = folder / ".model", folder / "model"
    if not is_main():
        wait()
        return name if args.publish else str(model)
    shutil.rmtree(draft, ignore_errors=True)
    save(draft)
    shutil.rmtree(model, ignore_errors=True)
    draft.rename(model)
    if check is not None:
        check(model)
    card = {
        **card,
        "args": args.model_dump(mode="json", exclude_none=True, exclude={"resume", "restart", "attempt"}),
        "metrics": {key: value for key, value in asdict(state).items() if abs(value) < float("inf")},
    }
    write_model_card(model, name, card)
    fence.check(folder, args.attempt)
    made = str(model)
    if args.publish:
        version = registry.publish(data_dir, name, model, card)
        print(f"published {name} as version {version.version}", file=sys.stderr)
        made = name
    result = folder / f".{RESULT}"
    result.write_text(json.dumps({"model": made, **card}, indent=2) + "\n")
    result.replace(folder / RESULT)  # there means whole
    wait()
    return made
