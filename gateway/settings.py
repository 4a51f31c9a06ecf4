"""Everything that the gateway reads from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, AliasGenerator, BaseModel, Field, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.settings import SharedSettings

PRICES = Path(__file__).with_name("prices.json")
Listed = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class ModalitySettings(BaseSettings):
    """Who answers one modality, and where it is; `_named` gives the variables their names."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True, protected_namespaces=()
    )

    provider: str | None = Field(default=None, description="an exception to MODEL_PROVIDER")
    urls: Listed = Field(default=(), description="the service, or any engine that speaks OpenAI's wire; or several")
    model: str | None = Field(default=None, description="the model of requests that name none; custom: starter")

    @field_validator("urls", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _split(value)

    @field_validator("provider")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value and value.strip().lower()


def _named(modality: str, *older: str) -> type[ModalitySettings]:
    """Read from MODEL_PROVIDER_X, ML_X_URL (or the `older` name of it) and MODEL_X."""
    name = modality.upper()
    names = {"provider": f"MODEL_PROVIDER_{name}", "model": f"MODEL_{name}"}
    urls = AliasChoices(f"ML_{name}_URL", *older)

    class Named(ModalitySettings):
        model_config = SettingsConfigDict(
            alias_generator=AliasGenerator(validation_alias=lambda field: names.get(field, urls))
        )

    return Named


MODALITIES = {"text": _named("text", "ML_SERVICE_URL"), "image": _named("image"), "audio": _named("audio")}
"""modality -> how its settings are read; a new one is one row."""


class LimitSettings(BaseModel):
    """Per key and minute, unless the key has its own."""

    requests: PositiveInt | None = Field(default=None, description="per key and minute, unless the key has its own")
    tokens: PositiveInt | None = Field(default=None, description="the same for tokens")
    images: PositiveInt | None = Field(default=None, description="the same for pictures made")
    seconds: PositiveInt | None = Field(default=None, description="the same for seconds of sound made or heard")


class Settings(SharedSettings):
    """DESIGN_MODEL_META=… and the like fill `design_model` by platform, LIMIT_REQUESTS=… and the like `limit`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        env_nested_delimiter="_",
        populate_by_name=True,
        protected_namespaces=(),
    )

    model_provider: str = Field(default="custom", description="who answers: custom (in-house services) or openai")
    model_fallback: str | None = Field(default=None, description="who answers while the first is down or overloaded")
    model_shadow: str | None = Field(default=None, description="who gets the same requests, to be compared")
    model_shadow_rate: float = Field(default=0.1, ge=0, le=1, description="the share of requests that it gets")
    openai_api_key: SecretStr = Field(default=SecretStr(""), description="needed where a provider is openai")
    openai_base_url: str = Field(default="https://api.openai.com/v1", description="OpenAI, or what stands in for it")
    model_aliases: Path | None = Field(default=None, description='JSON file: {"gpt-4o-mini": {"custom": "starter"}}')
    modalities: dict[str, ModalitySettings] = Field(
        default_factory=lambda: {name: read() for name, read in MODALITIES.items()}
    )
    design_model: dict[str, str] = Field(default={}, description="platform -> the model of its designs")
    gateway_host: str = Field(default="127.0.0.1", description="another address needs a key: python -m gateway.keys")
    gateway_api_key: SecretStr | None = Field(default=None, description="a key that exists from the start on")
    gateway_port: int = Field(default=8000, ge=0, lt=65536)
    gateway_url: str | None = Field(default=None, description="how clients reach it, for addresses in answers")
    cors_origins: Listed = Field(default=(), description="front ends that may call from a browser; * for all")
    body_limit_bytes: int = Field(default=8 << 20, ge=1024)
    file_limit_bytes: int = Field(default=512 << 20, ge=1, description="one uploaded file")
    max_in_flight: int = Field(default=512, ge=1, description="requests at once; one more gets 429")
    limit: LimitSettings = LimitSettings()
    upstream_timeout_s: float = Field(default=120.0, gt=0, description="how long an upstream may stay silent")
    prices: Path = Field(default=PRICES, description="what tokens cost, an editable table")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _split(value)

    @field_validator("model_provider", "model_fallback", "model_shadow")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value and value.strip().lower()

    def of(self, modality: str) -> ModalitySettings:
        """A modality that nobody spoke of is nowhere."""
        return self.modalities.get(modality) or ModalitySettings.model_construct()

    def provider(self, modality: str) -> str:
        """Who answers for `modality`: its exception, else MODEL_PROVIDER."""
        return self.of(modality).provider or self.model_provider
