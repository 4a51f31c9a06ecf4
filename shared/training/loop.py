"""The training loop: an optimiser step is a pure function of its number, so a resumed run is the undisturbed one.

The order of the data, the learning rate, dropout and what is validated follow from the step's number and the seed
alone; what is kept in a checkpoint is weights, optimiser and the number. Several processes (`accelerate launch`) share
each batch: the loss and the step are those of one process with the same batch.
"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from shared.errors import InvalidRequest
from shared.jobs import fence
from shared.training import checkpoints
from shared.training.average import Average
from shared.training.memory import keep_freed_memory
from shared.training.packing import TrainingRows
from shared.training.plan import Plan, State, learning_rate
from shared.training.processes import is_main, largest, processes, total, wait
from shared.training.progress import Progress
from shared.training.settings import TrainingArgs
from shared.training.signals import Interrupted, signals


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
    average: float | None = None
    """Decay of a moving average of the weights: it is what is validated, shown and left in `model`."""
    show: Callable[[Progress], None] | None = None
    """Called after each pass over the data, but not more often than twenty times."""

    def __post_init__(self) -> None:
        self.plan = Plan.of(self.args, len(self.train))
        # bf16 needs no scaler, and accelerate would fix one precision for the whole process: autocast is ours
        self.mixed = precision(self.args) == "bf16"
        self.processes = processes()
        if self.args.batch_size < self.processes.num_processes:
            raise InvalidRequest(f"fewer rows than the {self.processes.num_processes} processes", param="batch_size")
        self.accelerator = Accelerator(mixed_precision="no", cpu=not torch.cuda.is_available())
        self.prepared, self.optimiser = self.accelerator.prepare(self.model, optimiser(self.args, self.model))
        self.trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.averaged = Average(self.trained, self.average) if self.average else None
        self.share = slice(self.processes.process_index, None, self.processes.num_processes)

    def start(self) -> State:
        """Train to the end and leave the best weights in `model`; Interrupted on Ctrl-C or SIGTERM."""
        keep_freed_memory()
        resumed = checkpoints.newest(self.output_dir) if self.args.resume else None
        if resumed:
            self.restore(resumed)
        deadline_s = self.plan.seconds - self.state.seconds if self.plan.seconds else None
        begun = self.plan.steps, self.state.step
        progress = Progress(self.output_dir, *begun, deadline_s, self.args.attempt, shown=is_main())
        if resumed:
            progress.message(f"resumed from {resumed} at step {self.state.step}")
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
        saved = state.seconds
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
            state.seconds, stop = largest(time.monotonic() - begun, received[0] if received else 0)
            progress.advance(tokens)
            last = self.plan.done(state) >= 1
            if state.step % args.log_steps == 0 or last:
                state.loss = float(total(torch.stack(losses).sum())) / max(1, sum(counts))
                losses, counts = [], []
                if not math.isfinite(state.loss):
                    raise InvalidRequest(f"the loss is {state.loss} at step {state.step}", param="learning_rate")
                progress.log(state.loss, rate)
            if state.step % self.plan.eval_steps == 0 or last:
                self.validate(progress)
                last = last or self.is_enough(progress)
            if self.show is not None and is_main() and (last or self.plan.is_shown(state.step)):
                with self.smooth():
                    self.show(progress)
            due = self.plan.save_steps and state.step % self.plan.save_steps == 0
            if due or last or stop or state.seconds - saved > args.save_minutes * 60:
                path = self.save(progress)
                saved = state.seconds
                if last:
                    return
                if stop:
                    raise Interrupted(int(stop), path)

    def step(self, index: np.ndarray, rate: float) -> torch.Tensor:
        """One optimiser step on the rows `index`; this process's summed loss, not yet read from the device."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(hash((self.args.seed, self.state.step, self.processes.process_index)) % 2**63)
        count = max(1, self.train.loss_tokens(index))
        summed = torch.zeros((), device=self.accelerator.device)
        starts = range(0, len(index), self.args.batch_size)
        for at in starts:
            # gradients of all but the last part stay at home
            with self.accelerator.no_sync(self.prepared) if at != starts[-1] else nullcontext():
                loss = self.loss(self.prepared, self.train, index[at : at + self.args.batch_size])
                # every process divides by the tokens of all, and the processes' gradients are averaged
                self.accelerator.backward(loss * (self.processes.num_processes / count))
            summed += loss.detach()
        self.accelerator.clip_grad_norm_(self.trained, self.args.max_grad_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.averaged is not None:
            self.averaged.update(self.state.step + 1)
        return summed

    def loss(self, model: nn.Module, rows: TrainingRows, index: np.ndarray) -> torch.Tensor:
        batch = rows.batch(index[self.share])
        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.mixed):
            return model(**{name: value.to(self.accelerator.device) for name, value in batch.items()})

    @torch.no_grad()
    def validate(self, progress: Progress) -> None:
        """Keep the weights if they are the best so far on the held-out records."""
        if not len(self.validation):
            return
        with self.smooth():
            self.prepared.eval()
            self._validate(progress)
            self.prepared.train()

    def smooth(self) -> AbstractContextManager[None]:
        """The averaged weights in the model, if there are any."""
        return nullcontext() if self.averaged is None else self.averaged.applied()

    def _validate(self, progress: Progress) -> None:
        state = self.state
        summed, count = torch.zeros((), device=self.accelerator.device), 0
        for at in range(0, len(self.validation), self.args.batch_size):
            part = np.arange(at, min(at + self.args.batch_size, len(self.validation)))
            count += self.validation.loss_tokens(part)
            if len(part[self.share]):
                # not `prepared`: its processes wait for each other, and some have nothing to look at
                summed += self.loss(self.model, self.validation, part)
        loss = float(total(summed)) / max(1, count)
        better = loss < state.best_loss
        if better:
            state.best_loss, state.best_step = loss, state.step
            if is_main():
                fence.check(self.output_dir, self.args.attempt)
                kept = {"step": state.step, "loss": loss, "weights": self.weights()}
                checkpoints.save(self.output_dir / checkpoints.BEST, kept)
        progress.validated(loss, better)

    def is_enough(self, progress: Progress) -> bool:
        """Whether the last `patience` validations were all worse than the best."""
        state, patience = self.state, self.args.patience
        if not patience or not state.best_step or state.step - state.best_step < patience * self.plan.eval_steps:
            return False
        progress.message(f"stopped early at step {state.step}: step {state.best_step} was better than {patience} since")
        return True

    def weights(self) -> dict[str, torch.Tensor]:
        """What is trained, by name: everything from scratch, the adapter alone for LoRA; and the running means of
        batch normalisation that moves."""
        trained = {name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad}
        for name, part in self.model.named_modules():
            if isinstance(part, nn.modules.batchnorm._NormBase) and any(own.requires_grad for own in part.parameters()):
                trained |= {f"{name}.{key}": buffer.clone() for key, buffer in part.named_buffers(recurse=False)}
        return trained

    def save(self, progress: Progress) -> Path:
        state = {
            "state": asdict(self.state),
            "plan": asdict(self.plan),
            "weights": self.weights(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.averaged.kept if self.averaged is not None else [],
        }
        path = checkpoints.path_of(self.output_dir, self.state.step)
        if is_main():
            fence.check(self.output_dir, self.args.attempt)
            checkpoints.save_step(self.output_dir, self.state.step, state, self.args.keep_checkpoints)
            progress.event("message", level="info", message=f"checkpoint at step {self.state.step}")
        wait()
        return path

    def restore(self, path: Path) -> None:
        saved = checkpoints.load(path)
        plan = saved["plan"]
        if (plan["rows"], plan["rows_per_step"]) != (self.plan.rows, self.plan.rows_per_step):
            raise InvalidRequest(
                f"{path} was made with other data or another batch size; use the same, or start anew", param="resume"
            )
        self.put(saved["weights"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.averaged is not None:
            self.averaged.load(saved["average"])
        self.state = State(**saved["state"])

    def put(self, weights: dict[str, torch.Tensor]) -> None:
        own = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)

    def take_best(self) -> None:
        path = self.output_dir / checkpoints.BEST
        if self.averaged is not None:
            self.averaged.swap()
        if self.state.best_step:
            best = checkpoints.load(path)
            self.put(best["weights"])
            self.state.best_step, self.state.best_loss = best["step"], best["loss"]
