"""Everything that the gateway reads from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import SharedSettings

PRICES = Path(__file__).with_name("prices.json")
Listed = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""


class Settings(SharedSettings):
    """DESIGN_MODEL_META=… and the like fill `design_model` by platform."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        env_nested_delimiter="_",
        populate_by_name=True,
        protected_namespaces=(),
    )

    model_provider: str = Field(default="custom", description="who answers: custom (in-house services) or openai")
    model_provider_text: str | None = Field(default=None, description="an exception for text")
    model_fallback: str | None = Field(default=None, description="who answers while the first is down or overloaded")
    model_shadow: str | None = Field(default=None, description="who gets the same requests, to be compared")
    model_shadow_rate: float = Field(default=0.1, ge=0, le=1, description="the share of requests that it gets")
    ml_text_url: Listed = Field(
        default=(),
        validation_alias=AliasChoices("ML_TEXT_URL", "ML_SERVICE_URL"),
        description="the text service, or any engine that speaks OpenAI's wire; several addresses share the load",
    )
    openai_api_key: SecretStr = Field(default=SecretStr(""), description="needed where a provider is openai")
    openai_base_url: str = Field(default="https://api.openai.com/v1", description="OpenAI, or what stands in for it")
    model_aliases: Path | None = Field(default=None, description='JSON file: {"gpt-4o-mini": {"custom": "starter"}}')
    model_text: str | None = Field(default=None, description="the model of routes that name none; custom: starter")
    design_model: dict[str, str] = Field(default={}, description="platform -> the model of its designs")
    gateway_host: str = Field(default="127.0.0.1", description="another address needs a key: python -m gateway.keys")
    gateway_api_key: SecretStr | None = Field(default=None, description="a key that exists from the start on")
    gateway_port: int = Field(default=8000, ge=0, lt=65536)
    cors_origins: Listed = Field(default=(), description="front ends that may call from a browser; * for all")
    body_limit_bytes: int = Field(default=8 << 20, ge=1024)
    file_limit_bytes: int = Field(default=512 << 20, ge=1, description="one uploaded file")
    max_in_flight: int = Field(default=512, ge=1, description="requests at once; one more gets 429")
    limit_requests: int | None = Field(default=None, ge=1, description="per key and minute, unless the key has its own")
    limit_tokens: int | None = Field(default=None, ge=1, description="per key and minute, unless the key has its own")
    upstream_timeout_s: float = Field(default=120.0, gt=0, description="how long an upstream may stay silent")
    prices: Path = Field(default=PRICES, description="what tokens cost, an editable table")

    @field_validator("ml_text_url", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("model_provider", "model_provider_text", "model_fallback", "model_shadow")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value and value.strip().lower()

    def provider(self, modality: str) -> str:
        """Who answers for `modality`: its exception, else MODEL_PROVIDER."""
        return getattr(self, f"model_provider_{modality}") or self.model_provider
