"""Everything the image service reads from the environment, once, at the door."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import Quantize, ServiceSettings

SHIPPED = {"starter": Path(__file__).parent / "starter"}
"""Models that came with the project."""

Offload = Literal["none", "model", "sequential"]


class ImageSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ML_IMAGE_")

    port: int = Field(default=8002, description="port to listen on")
    quantize: Quantize | None = Field(default=None, description="load the large parts in 4 (nf4) or 8 (int8) bits")
    offload: Offload = Field(
        default="none", description="keep parts that do not compute in main memory: model by model, or layer by layer"
    )
    slots: int = Field(
        default=16, ge=1, description="pictures of the model's own size that are made at once; larger ones take more"
    )
    queue_size: int = Field(default=64, ge=0, description="pictures that may wait for a slot; more are answered 429")
    max_side: int = Field(default=1024, ge=64, description="the longest side of a picture, in pixels")
    max_steps: int = Field(default=150, ge=1, description="the most steps of denoising that a request may ask for")
    adapters: int = Field(
        default=4, ge=1, description="LoRA adapters per model that stay ready; the next one replaces one"
    )
    tile: bool = Field(default=False, description="decode large pictures in tiles: less memory, seams are blended")
    styles: Path | None = Field(default=None, description="JSON file of styles that are offered beside those built in")
