"""LoRA (https://arxiv.org/abs/2106.09685): small trained matrices beside frozen ones, W x + (alpha / rank) B A x.

With a base in 4 or 8 bits it is QLoRA (https://arxiv.org/abs/2305.14314): only the frozen weights are quantised.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from shared.errors import InvalidRequest

ALL = "all-linear"


Task = Literal["CAUSAL_LM", "SEQ_2_SEQ_LM"]


def task_of(model: PreTrainedModel) -> Task:
    return "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"


def attach(
    model: PreTrainedModel,
    base: str,
    rank: int,
    alpha: int,
    dropout: float,
    targets: Sequence[str] = (ALL,),
    task: Task | None = "CAUSAL_LM",
) -> PeftModel:
    """`model` frozen, with fp32 adapters on `targets` (ends of module names); InvalidRequest if one is no layer.

    `task` None: a model that is no language model.
    """
    every = list(targets) == [ALL]
    names = [name for name, _ in model.named_modules()]
    for target in [] if every else targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            known = sorted({name.rpartition(".")[2] for name, layer in model.named_modules() if _is_matrix(layer)})
            raise InvalidRequest(
                f"{base} has no layer {target!r}, so the adapter would not touch it; there is {', '.join(known)}",
                param="target_modules",
            )
    if getattr(model, "is_quantized", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=ALL if every else list(targets),
        task_type=task,
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in model.modules()),  # GPT-2 stores W transposed
    )
    try:
        with warnings.catch_warnings():  # peft 0.21 asks transformers 5.23 by a name that it is leaving
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            adapted: Any = get_peft_model(model, config)
    except ValueError as error:  # the layer exists, but is none that LoRA can be put on
        raise InvalidRequest(f"{base}: {str(error).splitlines()[0]}", param="target_modules") from error
    adapted.peft_config["default"].base_model_name_or_path = base  # peft writes the folder's path of this machine
    return adapted


def _is_matrix(layer: Any) -> bool:
    weight = getattr(layer, "weight", None)
    return weight is not None and weight.ndim == 2 and not list(layer.children())


def save(model: PeftModel, folder: Path) -> None:
    """adapter_config.json and adapter_model.safetensors; the embeddings are never among them."""
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's template with nothing filled in
