"""`/v1/fine_tuning/jobs`: OpenAI's job, its events and checkpoints, and what a request may say."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.text import NotOffered, Wire

Hyperparameters = dict[str, Any]
"""n_epochs, batch_size, learning_rate_multiplier, beta (each may be "auto"), `trainer`, and every field of its Args."""
MethodType = Literal["supervised", "dpo", "reinforcement"]
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]
Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]


class MethodOptions(Wire):
    hyperparameters: Hyperparameters | None = None


class Method(Wire):
    type: MethodType
    supervised: MethodOptions | None = None
    dpo: MethodOptions | None = None
    reinforcement: MethodOptions | None = None

    @model_validator(mode="after")
    def _own_options(self) -> Self:
        for name in ("supervised", "dpo", "reinforcement"):
            if name != self.type and getattr(self, name) is not None:
                raise PydanticCustomError(
                    "method", "has options of {other}, but its type is {type}", {"other": name, "type": self.type}
                )
        return self


class JobRequest(Wire):
    training_file: str = Field(min_length=1, description="id of an uploaded file of purpose fine-tune")
    validation_file: str | None = None
    model: str = Field(min_length=1, max_length=300, description="the base")
    method: Method | None = None
    hyperparameters: Hyperparameters | None = Field(None, description="older place of the method's hyperparameters")
    suffix: str | None = Field(None, min_length=1, max_length=64, description="becomes a part of the model's name")
    seed: int | None = Field(None, ge=0, lt=2**31)
    metadata: Metadata | None = None
    integrations: NotOffered = None


class JobError(Wire):
    code: str
    message: str
    param: str | None = None


class FineTuningJob(Wire):
    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    """Unix seconds, as every time here."""
    error: JobError | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    hyperparameters: Hyperparameters
    model: str
    organization_id: str
    result_files: list[str] = Field(default_factory=list[str])
    seed: int
    status: Status
    trained_tokens: int | None = None
    training_file: str
    validation_file: str | None = None
    estimated_finish: int | None = None
    integrations: list[Any] = Field(default_factory=list[Any])
    metadata: dict[str, str]
    """The request's, and of ours: `trainer`, and `paused` ("true") while the job is paused."""
    method: Method
    queue_position: int | None = None
    """1 for the waiting job that is taken next."""
    attempts: int = 0


class JobList(Wire):
    object: Literal["list"] = "list"
    data: list[FineTuningJob]
    has_more: bool


class JobEvent(Wire):
    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    data: dict[str, Any] | None = None
    type: Literal["message", "metrics"]


class JobEventList(Wire):
    object: Literal["list"] = "list"
    data: list[JobEvent]
    has_more: bool


class CheckpointMetrics(Wire):
    step: float | None = None
    train_loss: float | None = None
    full_valid_loss: float | None = None


class JobCheckpoint(Wire):
    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: CheckpointMetrics
    step_number: int


class JobCheckpointList(Wire):
    object: Literal["list"] = "list"
    data: list[JobCheckpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool
