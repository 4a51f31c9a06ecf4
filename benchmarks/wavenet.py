"""How much faster a WaveNet draws samples with its rings than by the whole network, and whether they are the same.

    python -m benchmarks.wavenet

Paper: https://arxiv.org/abs/1611.09482. One thread. The slow way costs the whole receptive field for each sample, so it
draws few and the seconds are per sample.
"""

import time

import torch

from benchmarks.machine import describe, table
from ml_audio.models.wavenet import WaveNet, WaveNetConfig

SIZES = {
    "as trained here": WaveNetConfig(condition=80),
    "as in the paper's figure": WaveNetConfig(residual=32, skip=128, cycle=10, cycles=3, condition=80),
}
SAMPLES = 400


def main() -> None:
    torch.set_num_threads(1)
    print(describe())
    lines = []
    for title, config in SIZES.items():
        torch.manual_seed(0)
        model = WaveNet(config).double().eval()  # in double precision no rounding decides a draw
        reach = config.receptive_field
        length = reach + SAMPLES
        condition = torch.randn(1, length // config.hop + 2, config.condition, dtype=torch.float64)
        begun = time.perf_counter()
        quick = model.generate(length, condition, seed=1)
        quick_s = (time.perf_counter() - begun) / length
        slow_s = _slow(model, condition, reach)
        slow = model.generate_slowly(SAMPLES, condition, seed=1)
        same = bool((slow == model.generate(SAMPLES, condition, seed=1)).all())
        assert len(quick[0].unique()) > 1
        lines.append(
            [
                title,
                reach,
                f"{1e3 * quick_s:.2f}",
                f"{1e3 * slow_s:.2f}",
                f"{slow_s / quick_s:.0f}",
                SAMPLES if same else "NO",
            ]
        )
    print(
        table(
            ["size", "receptive field", "ms a sample", "ms without rings", "times faster", "samples that are the same"],
            lines,
        )
    )


def _slow(model: WaveNet, condition: torch.Tensor, reach: int) -> float:
    """Seconds per sample without rings, once the whole receptive field is behind it."""
    numbers = torch.randint(model.config.levels, (1, reach))
    spread = model.spread_over(condition, reach)
    begun = time.perf_counter()
    for _ in range(20):
        model.tail(numbers, spread)
    return (time.perf_counter() - begun) / 20


if __name__ == "__main__":
    main()
