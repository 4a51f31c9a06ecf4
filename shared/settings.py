"""What gateway, services and workers all read from the environment, and what every model service reads."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["nf4", "int8"]


class SharedSettings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    data_dir: Path = Field(default=Path("data"), description="the one data folder: models, files, jobs, SQLite")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    redis_url: SecretStr | None = Field(
        default=None, description="jobs and limits of several machines; without it: SQLite, and this process"
    )

    @property
    def redis(self) -> str | None:
        return self.redis_url.get_secret_value() if self.redis_url else None


class ServiceSettings(BaseSettings):
    """A service extends it with its `env_prefix`, `port`, `slots` and fields of its own."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int
    model: str = Field(
        default="starter", description="loaded at the start: a published name, a short name, a hub repo or a folder"
    )
    dtype: Dtype = Field(
        default="auto", description="what to compute in; auto: float32 on the CPU, half precision on a GPU"
    )
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:1 …")
    threads: int = Field(default=0, ge=0, description="threads per matrix product; 0 leaves it to OMP_NUM_THREADS")
    queue_size: int = Field(default=64, ge=0, description="requests that may wait for a slot; more are answered 429")
    idle_s: float = Field(
        default=900.0, ge=0, description="a model that nobody asked for this long leaves memory; 0 never"
    )
    memory_mb: int = Field(
        default=0, ge=0, description="the most that all loaded weights may take; 0: what the machine has free"
    )
    hf_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("HF_TOKEN"), description="for gated hub repos"
    )
    shared: SharedSettings = Field(default_factory=SharedSettings)

    @property
    def data_dir(self) -> Path:
        return self.shared.data_dir
