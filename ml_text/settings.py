"""Everything the text service reads from the environment, once, at the door."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import SharedSettings

STARTER = Path(__file__).parent / "starter"
SHIPPED = {"starter": STARTER, "starter-embedding": Path(__file__).parent / "starter_embedding"}
"""Models that came with the project."""

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["nf4", "int8"]


class TextSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ML_TEXT_", env_file=".env", env_ignore_empty=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8001, description="port to listen on")
    model: str = Field(
        "starter", description="loaded at the start: a published name, a short name, a hub repo or a folder"
    )
    dtype: Dtype = Field(
        "auto", description="what to compute in; auto: bfloat16 where the processor has it, else float32"
    )
    quantize: Quantize | None = Field(None, description="load weights in 4 (nf4) or 8 (int8) bits through bitsandbytes")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")
    threads: int = Field(0, ge=0, description="threads per matrix product; 0 leaves it to OMP_NUM_THREADS")
    slots: int = Field(32, ge=1, description="requests that one model answers at the same time")
    queue_size: int = Field(64, ge=0, description="requests that may wait for a slot; more are answered 429")
    context_length: int = Field(
        8192, ge=8, description="the most tokens per request, prompt included, if the model has more"
    )
    prefill_tokens: int = Field(512, ge=16, description="prompt tokens read between two steps of the running requests")
    idle_s: float = Field(900.0, ge=0, description="a model that nobody asked for this long leaves memory; 0 never")
    memory_mb: int = Field(
        0, ge=0, description="the most that all loaded weights may take; 0: what the machine has free"
    )
    merge_mb: int = Field(
        1024, ge=0, description="adapters of bases up to this size are merged into a copy, which is faster"
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
