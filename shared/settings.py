"""What gateway, services and workers all read from the environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


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
