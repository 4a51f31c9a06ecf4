"""WaveNet: sound sample by sample, each drawn given all before it and, if there is one, a condition.

https://arxiv.org/abs/1609.03499: causal convolutions whose dilation doubles from layer to layer, gated activations,
residual and skip connections. Generation keeps each layer's last inputs in a ring, so that a new sample costs one
column per layer and not the whole receptive field (https://arxiv.org/abs/1611.09482).
Shapes: B sounds, N samples, T frames of the condition, M numbers in one, R residual channels, S skip channels,
Q levels of a sample.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 2
"""Taps of a causal convolution: this sample and the one `dilation` before."""


@dataclass(frozen=True)
class WaveNetConfig:
    levels: int = 256
    """Of the mu-law quantiser: 8 bits, finer near silence."""
    residual: int = 48
    skip: int = 96
    cycle: int = 9
    """Dilations 1, 2, 4 … 2^(cycle - 1), then again from 1."""
    cycles: int = 2
    condition: int = 0
    """Numbers per frame of the condition; 0: none."""
    hop: int = 256
    """Samples per frame of the condition."""
    model_type: str = "wavenet"

    @property
    def dilations(self) -> list[int]:
        return [2**i for _ in range(self.cycles) for i in range(self.cycle)]

    @property
    def receptive_field(self) -> int:
        """Samples that a drawn one depends on."""
        return 1 + (KERNEL - 1) * sum(self.dilations)


def compress(samples: Tensor, levels: int) -> Tensor:
    """[-1, 1] -> 0 … levels - 1 by the mu-law of ITU-T G.711, as continuous as that allows."""
    mu = levels - 1
    bent = samples.clamp(-1, 1).sign() * torch.log1p(mu * samples.clamp(-1, 1).abs()) / math.log1p(mu)
    return ((bent + 1) / 2 * mu + 0.5).long()


def expand(numbers: Tensor, levels: int) -> Tensor:
    """0 … levels - 1 -> [-1, 1]"""
    mu = levels - 1
    bent = 2 * numbers.float() / mu - 1
    return bent.sign() * torch.expm1(bent.abs() * math.log1p(mu)) / mu


class Layer(nn.Module):
    """tanh(filter) * sigmoid(gate) of a dilated convolution; a part goes on, a part goes out."""

    def __init__(self, config: WaveNetConfig, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.gated = nn.Conv1d(config.residual, 2 * config.residual, KERNEL, dilation=dilation)
        self.conditioned = nn.Linear(config.condition, 2 * config.residual, bias=False) if config.condition else None
        self.out = nn.Conv1d(config.residual, config.residual + config.skip, 1)

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, R, N), (B, 2R, N) -> (B, R, N), (B, S, N)"""
        both = self.gated(F.pad(x, (self.dilation, 0)))
        if condition is not None:
            both = both + condition
        filtered, gate = both.chunk(2, 1)
        out = self.out(filtered.tanh() * gate.sigmoid())
        residual, skip = out.split([x.shape[1], out.shape[1] - x.shape[1]], 1)
        return x + residual, skip


class WaveNet(nn.Module):
    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.config = config
        self.read = nn.Embedding(config.levels, config.residual)
        self.layers = nn.ModuleList(Layer(config, dilation) for dilation in config.dilations)
        """Each a Layer."""
        self.mix = nn.Conv1d(config.skip, config.skip, 1)
        self.head = nn.Conv1d(config.skip, config.levels, 1)

    def forward(self, numbers: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, N) levels, (B, T, M) -> (B, N, Q) logits: place n tells of the sample n + 1 what 0 … n say of it.

        The condition of place n is that of the sample that it tells of.
        """
        x = self.read(numbers).transpose(1, 2)  # (B, R, N)
        skips = x.new_zeros(())
        for layer in self.layers:
            x, skip = layer(x, self._spread(layer, condition, numbers.shape[1]))
            skips = skips + skip
        return self.head(self.mix(skips.relu()).relu()).transpose(1, 2)

    def _spread(self, layer: Any, condition: Tensor | None, length: int) -> Tensor | None:
        """(B, T, M) -> (B, 2R, N): each frame for `hop` samples, one sample ahead."""
        if layer.conditioned is None or condition is None:
            return None
        spread = layer.conditioned(condition).transpose(1, 2).repeat_interleave(self.config.hop, 2)
        return F.pad(spread[:, :, 1 : length + 1], (0, max(0, length + 1 - spread.shape[2])), mode="replicate")

    @torch.no_grad()
    def generate(self, length: int, condition: Tensor | None = None, batch: int = 1, seed: int = 0) -> Tensor:
        """(B, N) levels, drawn one after the other; the cost of a sample does not depend on how many there were.

        `condition` is (B, T, M) with T * hop >= length.
        """
        state = _Rings(self, batch)
        conditions = [self._spread(layer, condition, length) for layer in self.layers]
        dice = _dice(seed, batch, length, state.newest.dtype)
        drawn = self._silence(batch)
        made = torch.empty(batch, length, dtype=torch.long)
        for n in range(length):
            now = [None if spread is None else spread[:, :, n] for spread in conditions]
            drawn = draw(state.step(drawn, now), dice[:, n])
            made[:, n] = drawn
        return made

    @torch.no_grad()
    def generate_slowly(self, length: int, condition: Tensor | None = None, batch: int = 1, seed: int = 0) -> Tensor:
        """The same by the whole network for every sample: what the rings are compared with."""
        reach = self.config.receptive_field
        dice = _dice(seed, batch, length, self.head.weight.dtype)
        made = self._silence(batch)[:, None]
        for n in range(length):
            first = max(0, made.shape[1] - reach)
            shifted = None if condition is None else self.spread_over(condition, made.shape[1], first)
            logits = self.tail(made[:, first:], shifted)
            made = torch.cat([made, draw(logits, dice[:, n])[:, None]], 1)
        return made[:, 1:]

    def spread_over(self, condition: Tensor, end: int, first: int = 0) -> list[Tensor | None]:
        """What each layer adds at the samples `first` to `end`."""
        return [
            None if (spread := self._spread(layer, condition, end)) is None else spread[:, :, first:end]
            for layer in self.layers
        ]

    def tail(self, numbers: Tensor, conditions: list[Tensor | None] | None) -> Tensor:
        """(B, Q) logits behind the last of (B, N)."""
        x = self.read(numbers).transpose(1, 2)
        skips = x.new_zeros(())
        for layer, condition in zip(self.layers, conditions or [None] * len(self.layers), strict=True):
            x, skip = layer(x, condition)
            skips = skips + skip[:, :, -1:]
        return self.head(self.mix(skips.relu()).relu())[:, :, 0]

    def _silence(self, batch: int) -> Tensor:
        return torch.full((batch,), self.config.levels // 2, dtype=torch.long)

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / "model.safetensors")

    @classmethod
    def from_pretrained(cls, folder: Path) -> "WaveNet":
        model = cls(WaveNetConfig(**json.loads((folder / "config.json").read_text())))
        model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
        return model.eval()


class _Rings:
    """What each layer has read in its last `dilation` steps: a ring of `dilation` columns, zeros before the start."""

    def __init__(self, model: WaveNet, batch: int) -> None:
        self.model = model
        self.newest = model.head.weight.new_zeros(())
        width = model.config.residual
        self.rings = [self.newest.new_zeros(dilation, batch, width) for dilation in model.config.dilations]
        # (2 taps * R, 2R) and (R, R + S): one product each per layer and sample
        layers = cast("list[Layer]", list(model.layers))
        self.gates = [layer.gated.weight.permute(2, 1, 0).flatten(0, 1) for layer in layers]
        self.outs = [layer.out.weight[:, :, 0].T for layer in layers]
        self.gate_biases = [bias for layer in layers if (bias := layer.gated.bias) is not None]
        self.out_biases = [bias for layer in layers if (bias := layer.out.bias) is not None]
        self.n = 0

    def step(self, numbers: Tensor, conditions: list[Tensor | None]) -> Tensor:
        """(B,) the newest sample -> (B, Q) logits of the next."""
        model = self.model
        x = model.read(numbers)  # (B, R)
        width = x.shape[1]
        skips = x.new_zeros(())
        for i in range(len(self.rings)):
            ring = self.rings[i]
            at = self.n % len(ring)
            both = torch.addmm(self.gate_biases[i], torch.cat([ring[at], x], 1), self.gates[i])
            ring[at] = x
            condition = conditions[i]
            if condition is not None:
                both = both + condition
            out = torch.addmm(self.out_biases[i], both[:, :width].tanh() * both[:, width:].sigmoid(), self.outs[i])
            x, skips = x + out[:, :width], skips + out[:, width:]
        self.n += 1
        mixed = F.linear(skips.relu(), model.mix.weight[:, :, 0], model.mix.bias).relu()
        return F.linear(mixed, model.head.weight[:, :, 0], model.head.bias)


def _dice(seed: int, batch: int, length: int, dtype: torch.dtype) -> Tensor:
    """(B, N) in [0, 1): the same draws whichever way the logits come about."""
    return torch.rand(batch, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def draw(logits: Tensor, dice: Tensor) -> Tensor:
    """(B, Q), (B,) -> (B,): the level at which the cumulative probability passes the die."""
    cumulative = logits.softmax(-1).cumsum(-1)
    return torch.searchsorted(cumulative, dice[:, None].contiguous(), right=True)[:, 0].clamp(max=logits.shape[1] - 1)
