"""From a text encoder's token states to one vector, as the folder's sentence-transformers files say.

Reimers and Gurevych, Sentence-BERT, https://arxiv.org/abs/1908.10084. The files: `modules.json` lists the steps,
`1_Pooling/config.json` the pooling, `2_Dense` a linear layer, `sentence_bert_config.json` the longest input, and
`config_sentence_transformers.json` words that stand before every text. Shapes: B texts, T tokens, C width.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from shared.errors import InvalidRequest

MODULES = "modules.json"
POOLING = "1_Pooling"

Pool = Callable[[Tensor, Tensor], Tensor]
"""(B, T, C) states and (B, T) mask of 0 and 1 -> (B, C)"""


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    return _sum(states, mask) / mask.sum(1, keepdim=True)


def _mean_sqrt(states: Tensor, mask: Tensor) -> Tensor:
    return _sum(states, mask) / mask.sum(1, keepdim=True).sqrt()


def _sum(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask.unsqueeze(-1)).sum(1)


def _weighted_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Later tokens weigh more (SGPT, https://arxiv.org/abs/2202.08904): under a causal mask they saw more."""
    return _mean(states, mask * mask.cumsum(1))


def _max(states: Tensor, mask: Tensor) -> Tensor:
    return states.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1)


def _first(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states)), mask.argmax(1)]


def _last(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states)), (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)]


POOLS: dict[str, Pool] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
"""sentence-transformers' names, in the order in which several are put beside each other."""
OLD_NAMES = {name: f"pooling_mode_{name}" for name in POOLS} | {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
}


@dataclass(frozen=True)
class Pooling:
    """How one folder makes a vector of token states."""

    modes: tuple[str, ...] = ("mean",)
    dense: tuple[nn.Module, ...] = ()
    max_tokens: int | None = None
    prefix: str = ""

    def __call__(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) and (B, T) -> (B, C'), each row of length 1."""
        vectors = torch.cat([POOLS[mode](states.float(), mask.float()) for mode in self.modes], dim=-1)
        for layer in self.dense:
            vectors = layer(vectors)
        return nn.functional.normalize(vectors, dim=-1)


def has_pooling(folder: Path) -> bool:
    return (folder / MODULES).is_file()


def read_pooling(folder: Path) -> Pooling:
    """The folder's own, or the plain mean where it says nothing. InvalidRequest for a step that is not known here."""
    if not has_pooling(folder):
        return Pooling()
    modes: tuple[str, ...] = ("mean",)
    dense: list[nn.Module] = []
    for module in _read(folder / MODULES, list):
        kind = str(module.get("type", "")).rpartition(".")[2]
        path = _inside(folder, str(module.get("path", "")))
        if kind == "Pooling":
            modes = _modes(_read(path / "config.json", dict), folder.name)
        elif kind == "Dense":
            dense.append(_dense(path))
        elif kind not in ("Transformer", "Normalize"):  # vectors have length 1 here in any case
            raise InvalidRequest(f"{folder.name} has a step {kind!r}, which is not known here", param="model")
    prompts = _optional(folder / "config_sentence_transformers.json")
    limits = _optional(folder / "sentence_bert_config.json")
    prefix = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name")) or ""
    return Pooling(modes, tuple(dense), limits.get("max_seq_length"), str(prefix))


def write_pooling(folder: Path, width: int, max_tokens: int, mode: str = "mean") -> None:
    """Make `folder` one that sentence-transformers opens too."""
    package = "sentence_transformers.models"
    steps = [("", "Transformer"), (POOLING, "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{package}.{kind}"}
        for index, (path, kind) in enumerate(steps)
    ]
    (folder / POOLING).mkdir(parents=True, exist_ok=True)
    (folder / MODULES).write_text(json.dumps(modules, indent=2) + "\n")
    config = {"word_embedding_dimension": width} | {old: name == mode for name, old in OLD_NAMES.items()}
    (folder / POOLING / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    limits = {"max_seq_length": max_tokens, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limits) + "\n")


def _modes(config: dict[str, Any], name: str) -> tuple[str, ...]:
    """Of either layout: one name under `pooling_mode`, or a flag for each."""
    said = config.get("pooling_mode")
    if said is not None:
        modes = (said,) if isinstance(said, str) else tuple(said)
    else:
        modes = tuple(mode for mode, old in OLD_NAMES.items() if config.get(old))
    if not modes or not set(modes) <= set(POOLS):
        raise InvalidRequest(f"{name} pools in a way that is not known here: {said or config}", param="model")
    return modes


def _dense(folder: Path) -> nn.Module:
    config = _read(folder / "config.json", dict)
    activation = str(config.get("activation_function", "Identity")).rpartition(".")[2]
    known: dict[str, type[nn.Module]] = {"Identity": nn.Identity, "Tanh": nn.Tanh, "ReLU": nn.ReLU, "GELU": nn.GELU}
    if activation not in known:
        raise InvalidRequest(f"{folder.name} has the activation {activation!r}, not known here", param="model")
    layer = nn.Linear(config["in_features"], config["out_features"], bias=bool(config.get("bias", True)))
    try:
        weights = load_file(folder / "model.safetensors")
        layer.load_state_dict({name.removeprefix("linear."): value.float() for name, value in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InvalidRequest(f"the weights of {folder.name} cannot be read: {error}", param="model") from error
    return nn.Sequential(layer, known[activation]()).eval()


def _inside(folder: Path, path: str) -> Path:
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise InvalidRequest(f"{folder.name}: {MODULES} leads out of the folder", param="model")
    return found


def _optional(path: Path) -> dict[str, Any]:
    return _read(path, dict) if path.is_file() else {}


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path.name} of the model cannot be read: {error}", param="model") from error
    if not isinstance(found, kind):
        raise InvalidRequest(f"{path.name} of the model is no {kind.__name__}", param="model")
    return found
