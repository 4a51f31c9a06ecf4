"""The training loop: an optimiser step is a pure function of its number, so a resumed run is the undisturbed one.

The order of the data, the learning rate and what is validated follow from the step's number and the seed alone; what is
kept in a checkpoint is weights, optimiser, random state and the number.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from shared.errors import InvalidRequest
from shared.jobs import fence
from shared.training import checkpoints
from shared.training.memory import keep_freed_memory
from shared.training.packing import TrainingRows
from shared.training.progress import Progress
from shared.training.settings import TrainingArgs


class Interrupted(Exception):
    """Stopped by a signal after a checkpoint was written; a shell expects exit status 128 + `signal`."""

    def __init__(self, number: int, checkpoint: Path) -> None:
        super().__init__(f"stopped at {checkpoint}")
        self.status = 128 + number
        self.checkpoint = checkpoint


@dataclass
class State:
    """What a run has reached; with weights, optimiser and random state it is the checkpoint."""

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
    return (
        args.learning_rate
        * args.learning_rate_multiplier
        * warm
        * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done)))
    )


def precision(args: TrainingArgs) -> str:
    """`bf16` only where the processor multiplies it natively: elsewhere it is three times slower than fp32."""
    if args.precision != "auto":
        return args.precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "fp32"


def optimiser(args: TrainingArgs, model: nn.Module) -> torch.optim.AdamW:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": args.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, args.beta2), fused=True)


@dataclass
class Run:
    """One training run of `model`: a batch of `train` -> the summed loss over what is to be learnt in it."""

    args: TrainingArgs
    model: nn.Module
    train: TrainingRows
    validation: TrainingRows
    output_dir: Path
    state: State = field(default_factory=State)

    def __post_init__(self) -> None:
        self.plan = Plan.of(self.args, len(self.train))
        # bf16 needs no scaler, and accelerate would fix one precision for the whole process: autocast is ours
        self.mixed = precision(self.args) == "bf16"
        self.accelerator = Accelerator(mixed_precision="no", cpu=not torch.cuda.is_available())
        self.prepared, self.optimiser = self.accelerator.prepare(self.model, optimiser(self.args, self.model))
        self.trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        self.main = self.accelerator.is_main_process

    def start(self) -> State:
        """Train to the end and leave the best weights in `model`; Interrupted on Ctrl-C or SIGTERM."""
        keep_freed_memory()
        torch.manual_seed(self.args.seed)
        if self.args.resume:
            self.restore(checkpoints.newest(self.output_dir))
        deadline_s = self.plan.seconds - self.state.seconds if self.plan.seconds else None
        progress = Progress(self.output_dir, self.plan.steps, self.state.step, deadline_s, self.args.attempt)
        try:
            with signals() as received:
                self.loop(progress, received)
        finally:
            progress.close()
        self.take_best()
        return self.state

    def loop(self, progress: Progress, received: list[int]) -> None:
        state, args = self.state, self.args
        begun = time.monotonic() - state.seconds
        saved = time.monotonic()
        losses: list[torch.Tensor] = []
        counts: list[int] = []
        while (done := self.plan.done(state)) < 1:
            rate = learning_rate(args, state.step, done)
            index = self.plan.choose(state.step, args.seed)
            losses.append(self.step(index, rate))
            counts.append(self.train.loss_tokens(index))
            state.step += 1
            tokens = self.train.tokens(index)
            state.tokens += tokens
            state.seconds = time.monotonic() - begun
            progress.advance(tokens)
            last = self.plan.done(state) >= 1
            if state.step % args.log_steps == 0 or last:
                state.loss = float(torch.stack(losses).sum()) / max(1, sum(counts))
                losses, counts = [], []
                if not math.isfinite(state.loss):
                    raise InvalidRequest(f"the loss is {state.loss} at step {state.step}", param="learning_rate")
                progress.log(state.loss, rate)
            if state.step % self.plan.eval_steps == 0 or last:
                self.validate(progress)
            due = self.plan.save_steps and state.step % self.plan.save_steps == 0
            if due or last or received or time.monotonic() - saved > args.save_minutes * 60:
                path = self.save()
                saved = time.monotonic()
                if received and not last:
                    raise Interrupted(received[0], path)

    def step(self, index: np.ndarray, rate: float) -> torch.Tensor:
        """One optimiser step on the rows `index`; the summed loss, not yet read from the device."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        count = max(1, self.train.loss_tokens(index))
        total = torch.zeros((), device=self.accelerator.device)
        for at in range(0, len(index), self.args.batch_size):
            loss = self.loss(self.train, index[at : at + self.args.batch_size])
            # every process divides by the tokens of all, and the processes' gradients are averaged
            self.accelerator.backward(loss * (self.accelerator.num_processes / count))
            total += loss.detach()
        self.accelerator.clip_grad_norm_(self.trained, self.args.max_grad_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return total

    def loss(self, rows: TrainingRows, index: np.ndarray) -> torch.Tensor:
        batch = rows.batch(index[self.share])
        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.mixed):
            return self.prepared(**{name: value.to(self.accelerator.device) for name, value in batch.items()})

    @torch.no_grad()
    def validate(self, progress: Progress) -> None:
        """Keep the weights if they are the best so far on the held-out records."""
        state = self.state
        if not len(self.validation):
            return
        self.prepared.eval()
        every = np.arange(len(self.validation))
        parts = [every[at : at + self.args.batch_size] for at in range(0, len(every), self.args.batch_size)]
        total = torch.stack([self.loss(self.validation, part) for part in parts]).sum()
        self.prepared.train()
        loss = float(cast(torch.Tensor, self.accelerator.reduce(total))) / max(1, self.validation.loss_tokens(every))
        better = loss < state.best_loss
        if better:
            state.best_loss, state.best_step = loss, state.step
            if self.main:
                fence.check(self.output_dir, self.args.attempt)
                kept = {"step": state.step, "loss": loss, "weights": self.weights()}
                checkpoints.save(self.output_dir / checkpoints.BEST, kept)
        progress.validated(loss, better)

    def weights(self) -> dict[str, torch.Tensor]:
        """What is trained, by name: everything from scratch, the adapter alone for LoRA."""
        return {name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad}

    def save(self) -> Path:
        state = {
            "state": asdict(self.state),
            "plan": asdict(self.plan),
            "weights": self.weights(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        if not self.main:
            return self.output_dir
        fence.check(self.output_dir, self.args.attempt)
        return checkpoints.save_step(self.output_dir, self.state.step, state, self.args.keep_checkpoints)

    def restore(self, path: Path) -> None:
        saved = checkpoints.load(path)
        plan = saved["plan"]
        if (plan["rows"], plan["rows_per_step"]) != (self.plan.rows, self.plan.rows_per_step):
            raise InvalidRequest(
                f"{path} was made with other data or another batch size; use the same, or start anew", param="resume"
            )
        self.put(saved["weights"])
        self.optimiser.load_state_dict(saved["optimiser"])
        torch.set_rng_state(saved["random"])
        self.state = State(**saved["state"])
        print(f"resumed from {path} at step {self.state.step}", file=sys.stderr)

    def put(self, weights: dict[str, torch.Tensor]) -> None:
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)

    def take_best(self) -> None:
        path = self.output_dir / checkpoints.BEST
        if self.state.best_step:
            best = checkpoints.load(path)
            self.put(best["weights"])
            self.state.best_step, self.state.best_loss = best["step"], best["loss"]


@contextmanager
def signals() -> Iterator[list[int]]:
    """Fills when Ctrl-C or SIGTERM come, for the loop to look at between steps; a second Ctrl-C breaks off."""
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
