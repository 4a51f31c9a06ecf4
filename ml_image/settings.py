"""Everything the image service reads from the environment, once, at the door."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import SharedSettings

SHIPPED = {"starter": Path(__file__).parent / "starter"}
"""Models that came with the project."""

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["nf4", "int8"]
Offload = Literal["none", "model", "sequential"]


class ImageSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ML_IMAGE_", env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8002, description="port to listen on")
    model: str = Field(
        "starter", description="loaded at the start: a published name, a short name, a hub repo or a folder"
    )
    dtype: Dtype = Field("auto", description="what to compute in; auto: float32 on the CPU, half precision on a GPU")
    quantize: Quantize | None = Field(None, description="load the large parts in 4 (nf4) or 8 (int8) bits")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")
    offload: Offload = Field(
        "none", description="keep parts that do not compute in main memory: model by model, or layer by layer"
    )
    threads: int = Field(0, ge=0, description="threads per matrix product; 0 leaves it to OMP_NUM_THREADS")
    slots: int = Field(
        16, ge=1, description="pictures of the model's own size that are made at once; larger ones take more"
    )
    queue_size: int = Field(64, ge=0, description="pictures that may wait for a slot; more are answered 429")
    max_side: int = Field(1024, ge=64, description="the longest side of a picture, in pixels")
    max_steps: int = Field(150, ge=1, description="the most steps of denoising that a request may ask for")
    adapters: int = Field(4, ge=1, description="LoRA adapters per model that stay ready; the next one replaces one")
    tile: bool = Field(False, description="decode large pictures in tiles: less memory, seams are blended")
    styles: Path | None = Field(None, description="JSON file of styles that are offered beside those built in")
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
