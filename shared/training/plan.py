"""What a run is to do, as a pure function of the step's number and the seed: order of the data, learning rate, end."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shared.errors import InvalidRequest
from shared.training.settings import TrainingArgs


@dataclass
class State:
    """What a run has reached; with weights and optimiser it is the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    loss: float = math.nan
    """Of the last logged steps, per learnt token."""


@dataclass(frozen=True)
class Plan:
    """How many steps, and when to look up from them."""

    rows: int
    rows_per_step: int
    steps: int
    eval_steps: int
    save_steps: int | None
    seconds: float | None

    @classmethod
    def of(cls, args: TrainingArgs, rows: int) -> "Plan":
        if not rows:
            raise InvalidRequest("there is nothing to train on in the dataset", param="dataset")
        rows_per_step = args.batch_size * args.accumulate
        steps = args.max_steps or max(1, round(args.epochs * rows / rows_per_step))
        seconds = args.max_minutes * 60 if args.max_minutes else None
        eval_steps = args.eval_steps or max(1, math.ceil(steps / 20))
        return cls(rows, rows_per_step, steps, eval_steps, args.save_steps, seconds)

    def choose(self, step: int, seed: int) -> np.ndarray:
        """Which rows step number `step` learns from: each once per epoch. A step may begin in one and end in the next,
        so that all steps are of one size."""
        places = np.arange(step * self.rows_per_step, (step + 1) * self.rows_per_step)
        epochs = places // self.rows
        orders = {epoch: order(self.rows, seed, int(epoch)) for epoch in np.unique(epochs)}
        return np.array([orders[epoch][place] for epoch, place in zip(epochs, places % self.rows, strict=True)])

    def is_shown(self, step: int) -> bool:
        """Whether a pass over the data has just ended, or one in so many that a run is shown twenty times."""
        passes = max(1, math.ceil(self.steps * self.rows_per_step / self.rows / 20))
        ends = self.rows * passes
        return step * self.rows_per_step // ends > (step - 1) * self.rows_per_step // ends

    def done(self, state: State) -> float:
        """0 at the start, 1 at the end, whichever of steps and minutes ends first."""
        by_time = state.seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(state.step / self.steps, by_time))


@lru_cache(2)
def order(rows: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(rows)


def learning_rate(args: TrainingArgs, step: int, done: float) -> float:
    """Linear warm-up, then half a cosine down to `min_learning_rate_ratio`."""
    warm = min(1.0, (step + 1) / max(1, args.warmup_steps))
    low = args.min_learning_rate_ratio
    highest = args.learning_rate * args.learning_rate_multiplier
    return highest * warm * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done)))
