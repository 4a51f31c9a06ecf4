"""Everything the audio service reads from the environment, once, at the door."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

STARTER = Path(__file__).parent / "starter"
SHIPPED = {
    "starter": STARTER / "voice",
    "starter-recogniser": STARTER / "recogniser",
    "starter-music": STARTER / "music",
}
"""Models that came with the project."""


class AudioSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ML_AUDIO_")

    port: int = Field(default=8004, description="port to listen on")
    model: str = Field(
        default="starter",
        description="the voice: a published name, a short name, a hub repo or a folder; loaded at the start",
    )
    recogniser: str = Field(default="starter-recogniser", description="what transcribes requests that name no model")
    music: str = Field(default="starter-music", description="what makes music for requests that name no model")
    slots: int = Field(
        default=16, ge=1, description="requests that one model answers at the same time, sentence by sentence"
    )
    text_chars: int = Field(default=100_000, ge=1, description="the longest text that is read out")
    audio_s: float = Field(
        default=4 * 3600.0, gt=0, description="the longest recording that is transcribed, in seconds"
    )
    upload_mb: int = Field(default=100, ge=1, description="the largest recording, in megabytes")
