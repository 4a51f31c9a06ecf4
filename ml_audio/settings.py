"""Everything the audio service reads from the environment, once, at the door."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import SharedSettings

STARTER = Path(__file__).parent / "starter"
SHIPPED = {
    "starter": STARTER / "voice",
    "starter-recogniser": STARTER / "recogniser",
    "starter-music": STARTER / "music",
}
"""Models that came with the project."""

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class AudioSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ML_AUDIO_", env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8004, description="port to listen on")
    model: str = Field(
        "starter", description="the voice: a published name, a short name, a hub repo or a folder; loaded at the start"
    )
    recogniser: str = Field("starter-recogniser", description="what transcribes requests that name no model")
    music: str = Field("starter-music", description="what makes music for requests that name no model")
    dtype: Dtype = Field("auto", description="what to compute in; auto: float32 on the CPU, half precision on a GPU")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")
    threads: int = Field(0, ge=0, description="threads per matrix product; 0 leaves it to OMP_NUM_THREADS")
    slots: int = Field(16, ge=1, description="requests that one model answers at the same time, sentence by sentence")
    queue_size: int = Field(64, ge=0, description="requests that may wait for a slot; more are answered 429")
    text_chars: int = Field(100_000, ge=1, description="the longest text that is read out")
    audio_s: float = Field(4 * 3600.0, gt=0, description="the longest recording that is transcribed, in seconds")
    upload_mb: int = Field(100, ge=1, description="the largest recording, in megabytes")
    idle_s: float = Field(900.0, ge=0, description="a model that nobody asked for this long leaves memory; 0 never")
    memory_mb: int = Field(
        0, ge=0, description="the most that all loaded weights may take; 0: what the machine has free"
    )
    hf_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HF_TOKEN"), description="for gated hub repos"
    )
    shared: SharedSettings = Field(default_factory=SharedSettings)

    @property
    def data_dir(self) -> Path:
        return self.shared.data_dir

    @property
    def hub_dir(self) -> Path:
        """Where a model from elsewhere can be put by hand: one folder per name."""
        return self.data_dir / "hub"
