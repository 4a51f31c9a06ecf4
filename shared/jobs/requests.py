"""A request to fine-tune becomes a job: its trainer, that trainer's Args, its files, its model's name.

`method.type` dpo means the trainer dpo; supervised means lora, unless `hyperparameters.trainer` names another row of
the service's TRAINERS. n_epochs is `epochs`; "auto" leaves a field to the trainer; every other name is a field of Args.
"""

import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import BaseModel, ValidationError

from shared.errors import InvalidRequest
from shared.wire.fine_tuning import JobRequest

TRAINER_OF = {"supervised": "lora", "dpo": "dpo"}
OPENAI_NAMES = {"n_epochs": "epochs"}
SET_HERE = {"dataset", "validation_dataset", "model", "name", "publish", "output_dir", "resume", "restart", "attempt"}
TRAINING_FILE, VALIDATION_FILE = "training.jsonl", "validation.jsonl"
NAME_CHARS, ORGANIZATION_CHARS = 100, 24


class Trainer(Protocol):
    """A row of a service's TRAINERS."""

    @property
    def Args(self) -> type[BaseModel]: ...


@dataclass(frozen=True)
class Caller:
    owner: str
    """Id of the key."""
    organization: str
    """As it shall stand in model names."""


def job_spec(
    request: JobRequest,
    caller: Caller,
    filename: str,
    trainers: Mapping[str, Trainer],
    check_base: Callable[[str], None],
) -> dict[str, Any]:
    """What the worker needs and the answers show. InvalidRequest names the field; NotFound is the base's."""
    kind = request.method.type if request.method else "supervised"
    if kind not in TRAINER_OF:
        raise InvalidRequest(f"method.type {kind} is not offered; there is supervised and dpo", param="method.type")
    given = _given(request, kind)
    name, where = given.pop("trainer", (TRAINER_OF[kind], "method.type"))
    if not isinstance(name, str) or name not in trainers:
        raise InvalidRequest(f"there is no trainer {name!r}; there is {', '.join(trainers)}", param=where)
    check_base(request.model)
    args_type = trainers[name].Args
    args = checked(args_type, given)
    if request.validation_file is not None and "validation_dataset" not in args_type.model_fields:
        raise InvalidRequest(
            f"the trainer {name} holds out validation_fraction of the training file instead", param="validation_file"
        )
    if request.seed is not None or "seed" not in args:
        args["seed"] = random.randrange(2**31) if request.seed is None else request.seed
    takes_base = "model" in args_type.model_fields
    if takes_base:
        args["model"] = request.model
    return {
        "request": request.model_dump(mode="json", exclude_none=True),
        "method": kind,
        "trainer": name,
        "args": args,
        "organization": caller.organization,
        "name": model_name(request.model if takes_base else name, caller.organization, request.suffix or filename),
    }


def _given(request: JobRequest, kind: str) -> dict[str, tuple[Any, str]]:
    """Name -> (value, the request's path to it) of the hyperparameters that somebody chose."""
    options = getattr(request.method, kind) if request.method else None
    found: dict[str, tuple[Any, str]] = {}
    for path, values in (
        ("hyperparameters", request.hyperparameters),
        (f"method.{kind}.hyperparameters", options.hyperparameters if options else None),
    ):
        for name, value in (values or {}).items():
            if value is not None and value != "auto":
                found[name] = (value, f"{path}.{name}")
    return found


def checked(args_type: type[BaseModel], given: Mapping[str, tuple[Any, str]]) -> dict[str, Any]:
    """The values as Args has them, under its own names. Raises InvalidRequest on the request's path to a bad one."""
    values: dict[str, Any] = {}
    paths: dict[str, str] = {}
    for name, (value, path) in given.items():
        field = OPENAI_NAMES.get(name, name)
        if field in SET_HERE or _is_path(args_type, field):
            raise InvalidRequest(f"{name} cannot be set by a request", param=path)
        values[field], paths[field] = value, path
    try:
        args = args_type(dataset=[Path(TRAINING_FILE)], **values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        path = paths.get(field)
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = f"is no hyperparameter of this trainer; there is {', '.join(offered(args_type))}"
        raise InvalidRequest(f"{path or 'hyperparameters'}: {message}", param=path or "hyperparameters") from None
    return args.model_dump(mode="json", include=set(values))


def offered(args_type: type[BaseModel]) -> list[str]:
    return [name for name in args_type.model_fields if name not in SET_HERE and not _is_path(args_type, name)]


def _is_path(args_type: type[BaseModel], name: str) -> bool:
    """Paths are for whoever sits at the machine."""
    field = args_type.model_fields.get(name)
    return field is not None and _mentions_path(field.annotation)


def _mentions_path(annotation: Any) -> bool:
    return annotation is Path or any(_mentions_path(part) for part in get_args(annotation))


def model_name(base: str, organization: str, suffix: str) -> str:
    """ft:BASE:ORGANIZATION:SUFFIX; the registry numbers its versions. What cannot stand in a name is a hyphen."""
    tail = f":{_part(organization)[:ORGANIZATION_CHARS]}:{_part(suffix)[:64]}"
    return f"ft:{_part(base)[: NAME_CHARS - len(tail) - 3]}{tail}"


def _part(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).replace("..", "-").strip(".-") or "model"


def fingerprint(request: JobRequest) -> str:
    return hashlib.sha256(json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
