"""What a worker reads from the environment."""

import os
from collections.abc import Mapping

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.jobs.rules import LEASE_S
from shared.settings import SharedSettings


class WorkerSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WORKER_", env_file=".env", extra="ignore")

    jobs: int = Field(1, ge=1, description="jobs at once where there is no GPU; with GPUs it is one per GPU")
    lease_s: float = Field(LEASE_S, gt=0, description="a worker silent for so long has lost its jobs")
    gpus: bool = Field(True, description="give each job one GPU that no other job has; false: jobs run on the CPU")
    shared: SharedSettings = Field(default_factory=SharedSettings)


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The worker's own, for its children, with `changes`."""
    return {**os.environ, **changes}
