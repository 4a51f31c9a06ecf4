"""Everything the text service reads from the environment, once, at the door."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import Dtype, Quantize, ServiceSettings

STARTER = Path(__file__).parent / "starter"
SHIPPED = {"starter": STARTER, "starter-embedding": Path(__file__).parent / "starter_embedding"}
"""Models that came with the project."""


class TextSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ML_TEXT_")

    port: int = Field(default=8001, description="port to listen on")
    dtype: Dtype = Field(
        default="auto", description="what to compute in; auto: bfloat16 where the processor has it, else float32"
    )
    quantize: Quantize | None = Field(
        default=None, description="load weights in 4 (nf4) or 8 (int8) bits through bitsandbytes"
    )
    slots: int = Field(default=32, ge=1, description="requests that one model answers at the same time")
    context_length: int = Field(
        default=8192, ge=8, description="the most tokens per request, prompt included, if the model has more"
    )
    prefill_tokens: int = Field(
        default=512, ge=16, description="prompt tokens read between two steps of the running requests"
    )
    merge_mb: int = Field(
        default=1024, ge=0, description="adapters of bases up to this size are merged into a copy, which is faster"
    )
