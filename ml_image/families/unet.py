"""Stable Diffusion 1.x and 2.x (https://arxiv.org/abs/2112.10752) and SDXL (https://arxiv.org/abs/2307.01952): a U-Net
over the latents of a VAE, with the prompt read by CLIP."""

from typing import TYPE_CHECKING, Any

from ml_image.families.family import Conditions, Family, Wanted

if TYPE_CHECKING:
    from torch import Tensor


def _is_guided(pipe: Any, wanted: Wanted) -> bool:
    """Distilled models (https://arxiv.org/abs/2310.04378) are told the scale and need no second pass."""
    return wanted.guidance > 1 and pipe.unet.config.time_cond_proj_dim is None


def _with_scale(pipe: Any, wanted: Wanted, passes: list[dict[str, Any]]) -> list[Conditions]:
    import torch

    width = pipe.unet.config.time_cond_proj_dim
    if width is not None:
        scale = torch.tensor([wanted.guidance - 1.0])
        embedded = pipe.get_guidance_scale_embedding(scale, embedding_dim=width)
        for each in passes:
            each["timestep_cond"] = embedded.to(each["states"])
    return [*passes]


def _encode(pipe: Any, wanted: Wanted) -> list[Conditions]:
    guided = _is_guided(pipe, wanted)
    prompt, negative = pipe.encode_prompt(wanted.prompt, pipe._execution_device, 1, guided, wanted.negative)
    return _with_scale(pipe, wanted, [{"states": states} for states in ([negative, prompt] if guided else [prompt])])


def _encode_xl(pipe: Any, wanted: Wanted) -> list[Conditions]:
    import torch

    guided, device = _is_guided(pipe, wanted), pipe._execution_device
    prompt, negative, pooled, negative_pooled = pipe.encode_prompt(
        wanted.prompt,
        device=device,
        do_classifier_free_guidance=guided,
        # where nothing is said, SDXL was trained on zeros and not on an empty prompt
        negative_prompt=wanted.negative or None,
    )
    size = (wanted.height, wanted.width)
    # the size before and after cropping, and where was cropped (section 2.2)
    times = torch.tensor([[*size, 0, 0, *size]], dtype=prompt.dtype, device=device)
    both = [(negative, negative_pooled), (prompt, pooled)]
    passes = [{"states": states, "text_embeds": text, "time_ids": times} for states, text in both[0 if guided else 1 :]]
    return _with_scale(pipe, wanted, passes)


def _predict(pipe: Any, latents: "Tensor", timesteps: "Tensor", conditions: Conditions) -> "Tensor":
    added = {name: conditions[name] for name in ("text_embeds", "time_ids") if name in conditions}
    return pipe.unet(
        latents,
        timesteps,
        encoder_hidden_states=conditions["states"],
        timestep_cond=conditions.get("timestep_cond"),
        added_cond_kwargs=added or None,
        return_dict=False,
    )[0]


_ADAPTED = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")

STABLE_DIFFUSION = Family(
    network="unet",
    multiple=8,
    steps=25,
    guidance=7.5,
    encode=_encode,
    predict=_predict,
    adapted=_ADAPTED,
    tokenizer="tokenizer",
    quantized=("unet",),
)
STABLE_DIFFUSION_XL = Family(
    network="unet",
    multiple=8,
    steps=30,
    guidance=5.0,
    encode=_encode_xl,
    predict=_predict,
    adapted=_ADAPTED,
    tokenizer="tokenizer",
    quantized=("unet", "text_encoder_2"),
)
