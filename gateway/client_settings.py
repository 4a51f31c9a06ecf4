"""What the clients (UnifiedAI and the command-line chat) read from the environment."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_file=".env", extra="ignore")

    url: str = Field(default="http://127.0.0.1:8000", description="the gateway's address")
    api_key: SecretStr = Field(default=SecretStr(""), description="a key of the gateway; empty while it asks for none")
