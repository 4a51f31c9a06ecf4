"""LoRA adapters on one pipeline: read, checked against its layers, kept ready in a few slots, switched between steps.

Diffusers and peft drop what does not fit with a warning, so the files are compared with the layers first. The slot used
longest ago takes the next adapter: its numbers are overwritten in place (diffusers' hotswap) where it has the layers.
"""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from shared.errors import InvalidRequest
from shared.sources import Source

WEIGHTS = "pytorch_lora_weights.safetensors"
PARTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
"""Components of pipelines that adapters are put on."""
IN_PLACE = ("unet.", "transformer.")
"""Text encoders' adapters cannot be overwritten."""
DOWN, UP = ("lora_A.", "lora.down."), ("lora_B.", "lora.up.")
UNKNOWN = "?"
BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


class Adapters:
    """To be used in the batcher's thread alone. `slots` adapters stay ready."""

    def __init__(self, pipe: Any, slots: int) -> None:
        self._pipe, self._most = pipe, slots
        self._slots: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()
        """Adapter's key -> (peft's name of the slot, layers that the slot has); the one used last is last."""
        self._active = ""
        self.swaps = 0

    def use(self, source: Source | None) -> None:
        """From now on the pipeline is its base, or its base with this adapter. Raises InvalidRequest if it does not fit
        and then is as before."""
        key = source.key if source else ""
        if key == self._active:
            return
        if source is not None and key not in self._slots:
            self._load(source)
        name = self._slots[key][0] if source else None
        for part in self._adapted():
            if name in part.peft_config:
                _enable(part, True)
                part.set_adapter(name)
            else:
                _enable(part, False)
        if source is not None:
            self._slots.move_to_end(key)
        self._active = key
        self.swaps += 1

    def _load(self, source: Source) -> None:
        layers = check(self._pipe, source.folder, source.name)
        if len(self._slots) < self._most:
            self._fill(source, layers, f"slot-{len(self._slots):03d}")
            return
        oldest, (name, has) = next(iter(self._slots.items()))
        del self._slots[oldest]
        if layers <= has and all(path.startswith(IN_PLACE) for path in layers):
            self._fill(source, has, name, hotswap=True)
        else:
            self._pipe.delete_adapters(name)
            self._fill(source, layers, name)

    def _fill(self, source: Source, layers: frozenset[str], name: str, hotswap: bool = False) -> None:
        self._active = UNKNOWN  # loading activates, and what is active may be what is overwritten
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Already found a `peft_config`")
                self._pipe.load_lora_weights(
                    str(source.folder),
                    weight_name=WEIGHTS,
                    adapter_name=name,
                    hotswap=hotswap,
                    use_safetensors=True,
                    local_files_only=True,
                )
        except BROKEN as error:
            if any(name in part.peft_config for part in self._adapted()):
                self._pipe.delete_adapters(name)
            raise _misfit(source.name, error) from error
        self._slots[source.key] = (name, layers)

    def _adapted(self) -> list[Any]:
        """The components that have layers of peft's."""
        parts = [getattr(self._pipe, name, None) for name in PARTS]
        return [part for part in parts if getattr(part, "peft_config", None)]


def check(pipe: Any, folder: Path, name: str) -> frozenset[str]:
    """The layers that the adapter in `folder` touches, as paths in `pipe`; each of its tensors fits one.

    Raises InvalidRequest.
    """
    if not (folder / WEIGHTS).is_file():
        raise InvalidRequest(f"{name} has no {WEIGHTS}; other formats are not read", param="model")
    blocks = {"unet_config": pipe.unet.config} if hasattr(pipe, "unet") else {}  # of files that count other blocks
    try:
        state = pipe.lora_state_dict(
            str(folder), weight_name=WEIGHTS, use_safetensors=True, local_files_only=True, **blocks
        )
    except BROKEN as error:
        raise _misfit(name, error) from error
    tensors: dict[str, Any] = state[0] if isinstance(state, tuple) else state
    modules = {
        f"{part}.{path}": layer
        for part in PARTS
        if getattr(pipe, part, None) is not None
        for path, layer in getattr(pipe, part).named_modules()
    }
    layers: set[str] = set()
    for key, tensor in tensors.items():
        if key.endswith(".alpha"):
            continue
        path, _, side = key.partition(".lora")
        if path not in modules or not side:
            raise InvalidRequest(f"{name} touches no such layer of its base: {path}", param="model")
        _check_shape(name, f"lora{side}", path, modules[path], tuple(tensor.shape))
        layers.add(path)
    if not layers:
        raise InvalidRequest(f"{name} touches no layer of its base: it has no weights", param="model")
    return frozenset(layers)


def _check_shape(name: str, side: str, path: str, layer: Any, shape: tuple[int, ...]) -> None:
    size_in = getattr(layer, "in_features", getattr(layer, "in_channels", None))
    size_out = getattr(layer, "out_features", getattr(layer, "out_channels", None))
    fits = not (
        (side.startswith(DOWN) and shape[1:2] != (size_in,)) or (side.startswith(UP) and shape[:1] != (size_out,))
    )
    if size_in is None or not fits:
        raise InvalidRequest(
            f"{name} does not fit its base: {path} is {size_in} to {size_out}, and {side} is {shape}", param="model"
        )


def _enable(part: Any, on: bool) -> None:
    """Diffusers' components and transformers' have the same method under two names."""
    if hasattr(part, "enable_lora"):
        (part.enable_lora if on else part.disable_lora)()
    else:
        (part.enable_adapters if on else part.disable_adapters)()


def _misfit(name: str, error: Exception) -> InvalidRequest:
    lines = str(error).strip().splitlines()
    why = lines[0] if lines else type(error).__name__
    return InvalidRequest(f"{name} does not fit its base: {why}", param="model")
