"""The options that every trainer has: pydantic fields are the command line, the job's body and the form at once."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainingArgs(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    QUICK: ClassVar[dict[str, Any]] = {"max_minutes": 5.0, "warmup_steps": 10, "validation_records": 32}
    """What `quick_start` sets; what is given beside it wins."""

    dataset: list[Path] = Field(min_length=1, description="training files: JSONL, a JSON list, or CSV")
    validation_dataset: list[Path] = Field([], description="files to choose the best checkpoint by, not held-out rows")
    quick_start: bool = Field(False, description="five minutes with small settings, where no other is given")
    name: str | None = Field(None, description="publish under this name (default: made from the dataset's file name)")
    publish: bool = Field(True, description="put the result into the model registry of DATA_DIR")
    output_dir: Path | None = Field(None, description="checkpoints, events and the model; default DATA_DIR/runs/NAME")
    resume: bool = Field(False, description="go on from the newest checkpoint of the output folder")
    restart: bool = Field(False, description="throw away an unfinished run in the output folder")
    attempt: str | None = Field(None, description="set by the worker of a job: the token that allows to write there")
    on_bad_row: Literal["stop", "skip"] = Field("stop", description="a row that cannot be read stops the run, or not")
    seed: int = Field(42, description="of the weights, the split, the order and dropout")

    epochs: float = Field(3, gt=0, description="passes over the data")
    max_steps: int | None = Field(None, gt=0, description="optimiser steps, instead of epochs")
    max_minutes: float | None = Field(None, gt=0, description="stop then; the learning rate has fallen by that time")
    batch_size: int = Field(16, gt=0, description="packed rows per forward pass")
    accumulate: int = Field(1, gt=0, description="forward passes per optimiser step")
    sequence_length: int = Field(256, ge=8, description="tokens per packed row")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest")
    learning_rate_multiplier: float = Field(1.0, gt=0, description="on learning_rate, given or chosen")
    warmup_steps: int = Field(100, ge=0, description="steps until the learning rate is at its highest")
    min_learning_rate_ratio: float = Field(0.05, ge=0, le=1, description="where the cosine ends, of learning_rate")
    weight_decay: float = Field(0.1, ge=0, description="on matrices; never on norms and biases")
    beta2: float = Field(0.98, gt=0, lt=1, description="AdamW's second moment")
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are cut to this length")
    gradient_checkpointing: bool = Field(False, description="less memory, a third more time: activations made twice")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the hardware has it")

    validation_fraction: float = Field(0.05, ge=0, lt=1, description="records held out to choose the best checkpoint")
    validation_records: int = Field(256, ge=0, description="but never more than these")
    patience: int | None = Field(None, gt=0, description="stop after so many validations without a better loss")
    log_steps: int = Field(10, gt=0, description="steps between two lines of events.jsonl")
    eval_steps: int | None = Field(None, gt=0, description="steps between two validations; default 20 per run")
    save_steps: int | None = Field(None, gt=0, description="steps between two checkpoints")
    save_minutes: float = Field(5, gt=0, description="minutes between two checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="older ones are deleted")

    @model_validator(mode="before")
    @classmethod
    def _quick(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("quick_start"):
            return {**cls.QUICK, **given}
        return given
