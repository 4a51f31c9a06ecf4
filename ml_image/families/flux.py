"""FLUX.1 (https://github.com/black-forest-labs/flux): a transformer over packed patches and T5's words, by rectified
flow; guidance is a number that it was distilled to follow, so there is one pass and no negative prompt."""

from typing import TYPE_CHECKING, Any

from ml_image.families.family import Conditions, Family, Wanted
from ml_image.families.mmdit import JOINT_ATTENTION

if TYPE_CHECKING:
    from torch import Tensor

T5_TOKENS = 512


def _encode(pipe: Any, wanted: Wanted) -> list[Conditions]:
    import torch

    device = pipe._execution_device
    states, pooled, _ = pipe.encode_prompt(wanted.prompt, None, device=device, max_sequence_length=T5_TOKENS)
    conditions = {"states": states, "pooled": pooled}
    if pipe.transformer.config.guidance_embeds:
        conditions["guidance"] = torch.tensor([wanted.guidance], device=device, dtype=torch.float32)
    return [conditions]


def _predict(pipe: Any, latents: "Tensor", timesteps: "Tensor", conditions: Conditions) -> "Tensor":
    rows, channels, height, width = latents.shape
    states = conditions["states"]
    velocity = pipe.transformer(
        hidden_states=pipe._pack_latents(latents, rows, channels, height, width),
        timestep=(timesteps / 1000).to(latents.dtype),
        guidance=conditions.get("guidance"),
        pooled_projections=conditions["pooled"],
        encoder_hidden_states=states,
        txt_ids=states.new_zeros(states.shape[1], 3),
        img_ids=pipe._prepare_latent_image_ids(rows, height // 2, width // 2, latents.device, latents.dtype),
        return_dict=False,
    )[0]
    scale = pipe.vae_scale_factor
    return pipe._unpack_latents(velocity, height * scale, width * scale, scale)


def _sigmas(steps: int) -> list[float]:
    """From 1 in equal steps, the last of which ends at 0."""
    return [1 - (1 - 1 / steps) * index / max(steps - 1, 1) for index in range(steps)]


FLUX = Family(
    network="transformer",
    multiple=16,
    steps=28,
    guidance=3.5,
    encode=_encode,
    predict=_predict,
    adapted=JOINT_ATTENTION,
    tokenizer="tokenizer_2",
    tokens=T5_TOKENS,
    negative=False,
    sigmas=_sigmas,
    quantized=("transformer", "text_encoder_2"),
)
