"""Stable Diffusion 3 and 3.5 (https://arxiv.org/abs/2403.03206): a transformer over patches and words together, trained
by rectified flow, with the prompt read by two CLIPs and T5."""

from typing import TYPE_CHECKING, Any

from ml_image.families.family import Conditions, Family, Wanted

if TYPE_CHECKING:
    from torch import Tensor

T5_TOKENS = 256
JOINT_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
"""Its matrices for patches, and those for words."""


def _encode(pipe: Any, wanted: Wanted) -> list[Conditions]:
    guided = wanted.guidance > 1
    prompt, negative, pooled, negative_pooled = pipe.encode_prompt(
        wanted.prompt,
        None,
        None,
        device=pipe._execution_device,
        do_classifier_free_guidance=guided,
        negative_prompt=wanted.negative,
        max_sequence_length=T5_TOKENS,
    )
    both = [(negative, negative_pooled), (prompt, pooled)]
    return [{"states": states, "pooled": text} for states, text in both[0 if guided else 1 :]]


def _predict(pipe: Any, latents: "Tensor", timesteps: "Tensor", conditions: Conditions) -> "Tensor":
    return pipe.transformer(
        hidden_states=latents,
        timestep=timesteps,
        encoder_hidden_states=conditions["states"],
        pooled_projections=conditions["pooled"],
        return_dict=False,
    )[0]


STABLE_DIFFUSION_3 = Family(
    network="transformer",
    multiple=16,
    steps=28,
    guidance=7.0,
    encode=_encode,
    predict=_predict,
    adapted=JOINT_ATTENTION,
    tokenizer="tokenizer_3",
    tokens=T5_TOKENS,
    quantized=("transformer", "text_encoder_3"),
)
