"""A job's row and folder in OpenAI's shapes: the job, its events, its checkpoints."""

from pathlib import Path
from typing import Any

from shared.jobs import folder
from shared.jobs.job import Job, Note
from shared.wire.fine_tuning import (
    CheckpointMetrics,
    FineTuningJob,
    JobCheckpoint,
    JobError,
    JobEvent,
    Method,
    MethodOptions,
    Status,
)

SHOWN = {"epochs": "n_epochs"}
ALWAYS = ("n_epochs", "batch_size", "learning_rate_multiplier")
OURS = ("model", "seed")
METRICS = {"loss": "train_loss", "validation_loss": "full_valid_loss"}
"""Our events' names -> OpenAI's."""


def show(job: Job, place: Path, position: int | None) -> FineTuningJob:
    spec, request = job.spec, job.spec["request"]
    hyperparameters: dict[str, Any] = dict.fromkeys(ALWAYS, "auto")
    for name, value in spec["args"].items():
        if name not in OURS:
            hyperparameters[SHOWN.get(name, name)] = int(value) if name == "epochs" and value % 1 == 0 else value
    method: dict[str, Any] = {"type": spec["method"], spec["method"]: MethodOptions(hyperparameters=hyperparameters)}
    metadata = {**request.get("metadata", {}), "trainer": spec["trainer"]}
    if job.state == "paused" or job.wanted == "pause":
        metadata["paused"] = "true" if job.state == "paused" else "requested"
    result = job.result or {}
    return FineTuningJob(
        id=job.id,
        created_at=int(job.created),
        error=JobError(**job.error) if job.error and job.state == "failed" else None,
        fine_tuned_model=result.get("model"),
        finished_at=int(job.finished) if job.finished else None,
        hyperparameters=hyperparameters,
        model=request["model"],
        organization_id=spec["organization"],
        seed=spec["args"]["seed"],
        status=status(job),
        trained_tokens=result.get("metrics", {}).get("tokens"),
        training_file=request["training_file"],
        validation_file=request.get("validation_file"),
        estimated_finish=_estimate(place) if job.state == "running" else None,
        metadata=metadata,
        method=Method(**method),
        queue_position=position,
        attempts=job.attempts,
    )


def status(job: Job) -> Status:
    """OpenAI's type knows no pause: such a job is still running, or queued."""
    if job.state == "paused":
        return "running" if job.started else "queued"
    return job.state


def _estimate(place: Path) -> int | None:
    told = [event for event in folder.events(place) if "seconds_left" in event]
    return int(told[-1]["time"] + told[-1]["seconds_left"]) if told else None


SAMPLES = ("images", "sounds")
"""What a trainer's message may hold besides words."""


def events(job: Job, notes: list[Note], place: Path) -> list[JobEvent]:
    """What happened to the job and what its trainer said, oldest first."""
    short = job.id.rpartition("-")[2]
    told = [(note.time, _from_note(f"ftevent-{short}-n{i}", note)) for i, note in enumerate(notes)]
    told += [
        (line["time"], _from_line(f"ftevent-{short}-t{i}", line))
        for i, line in enumerate(folder.events(place))
        if "time" in line
    ]
    return [event for _, event in sorted(told, key=lambda pair: pair[0])]


def _from_note(id: str, note: Note) -> JobEvent:
    return JobEvent(id=id, created_at=int(note.time), level=note.level, message=note.message, type="message")


def _from_line(id: str, line: dict[str, Any]) -> JobEvent:
    created = int(line["time"])
    if line.get("type") == "message":
        shown = {name: line[name] for name in SAMPLES if name in line} or None
        return JobEvent(
            id=id, created_at=created, level=line["level"], message=line["message"], data=shown, type="message"
        )
    data = {METRICS.get(name, name): value for name, value in line.items() if name not in ("type", "time")}
    what = "validation loss" if "validation_loss" in line else "training loss"
    loss = line.get("validation_loss", line.get("loss"))
    message = f"Step {line['step']}/{line.get('total_steps', '?')}: {what}={loss}"
    return JobEvent(id=id, created_at=created, level="info", message=message, data=data, type="metrics")


def checkpoints(job: Job, place: Path) -> list[JobCheckpoint]:
    """The ones that are still on the disk, newest first, each with the last losses that were known at its step."""
    lines = [line for line in folder.events(place) if "step" in line]
    return [_checkpoint(job, step, path, lines) for step, path in reversed(folder.checkpoints(place).items())]


def _checkpoint(job: Job, step: int, path: Path, lines: list[dict[str, Any]]) -> JobCheckpoint:
    known: dict[str, float] = {}
    for line in lines:
        if line["step"] <= step:
            known |= {shown: line[name] for name, shown in METRICS.items() if name in line}
    return JobCheckpoint(
        id=f"ftckpt-{job.id.rpartition('-')[2]}-{step}",
        created_at=int(path.stat().st_mtime),
        fine_tuned_model_checkpoint=f"{job.spec['name']}:ckpt-step-{step}",
        fine_tuning_job_id=job.id,
        metrics=CheckpointMetrics(step=step, **known),
        step_number=step,
    )
