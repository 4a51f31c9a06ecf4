"""The loop: resumed runs are the undisturbed one, signals save, the best weights are kept, time ends a run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shared.errors import InvalidRequest
from shared.training import checkpoints
from shared.training.loop import Run
from shared.training.packing import IGNORED, Rows, pack
from shared.training.plan import Plan, learning_rate, order
from shared.training.samples import Sample
from shared.training.settings import TrainingArgs
from shared.training.signals import Interrupted

VOCAB = 16


class Tiny(nn.Module):
    """Next token from this token; dropout makes a run depend on the random state too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Embedding(VOCAB, 8), nn.Dropout(0.2), nn.Linear(8, VOCAB))

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = self.layers(input_ids).flatten(0, 1)
        return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")


def counting(many: int, seed: int) -> Rows:
    """Sequences that count upwards."""
    chance = np.random.default_rng(seed)
    starts = chance.integers(0, VOCAB, many)
    return pack([Sample((start + np.arange(8)) % VOCAB, np.ones(8, dtype=bool)) for start in starts], 16)


def settings(**changes) -> TrainingArgs:
    given = {"dataset": [Path("x")], "batch_size": 2, "max_steps": 30, "warmup_steps": 3, "learning_rate": 0.05}
    given |= {"precision": "fp32"}  # equal to the last bit on every processor
    return TrainingArgs(**{**given, "log_steps": 5, "eval_steps": 10, "save_steps": 7, **changes})


def start(folder: Path, **changes) -> Run:
    run = Run(settings(**changes), Tiny(), counting(41, 1), counting(9, 2), folder)
    run.start()
    return run


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def events(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_the_loss_falls_and_events_tell(tmp_path):
    run = start(tmp_path)
    lines = [line for line in events(tmp_path) if "loss" in line]
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 25, 30]
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert all({"tokens_per_s", "seconds_left", "time"} <= line.keys() for line in lines)
    assert all((line["type"], line["total_steps"]) == ("metrics", 30) for line in lines)
    assert lines[-1]["seconds_left"] == 0
    assert 0.9 * 30 * 2 * 16 < run.state.tokens < 30 * 2 * 16, "padding is not counted"


def test_a_resumed_run_is_the_undisturbed_one(tmp_path):
    whole = start(tmp_path / "whole")
    start(tmp_path / "parts", keep_checkpoints=9)
    for path in checkpoints.found(tmp_path / "parts"):
        if path.stem > "00000021":
            path.unlink()  # as if killed in the middle
    assert checkpoints.newest(tmp_path / "parts").stem == "00000021"
    resumed = start(tmp_path / "parts", resume=True)
    assert same(whole.model, resumed.model)
    assert whole.state.best_loss == resumed.state.best_loss and whole.state.loss == resumed.state.loss


def test_accumulated_steps_equal_big_ones(tmp_path):
    def weights(**changes) -> list[torch.Tensor]:
        run = Run(settings(max_steps=5, **changes), Tiny().eval(), counting(41, 1), counting(1, 2), tmp_path)
        for step in range(5):
            run.step(run.plan.choose(step, 42), 0.05)
        return list(run.model.parameters())

    for big, small in zip(weights(batch_size=8), weights(batch_size=2, accumulate=4), strict=True):
        torch.testing.assert_close(big, small, rtol=1e-4, atol=1e-6)


def test_every_row_is_seen_once_an_epoch():
    plan = Plan.of(settings(batch_size=3, max_steps=None, epochs=2), 10)
    assert plan.steps == 7
    seen = np.concatenate([plan.choose(step, 42) for step in range(7)])
    assert sorted(seen[:10]) == list(range(10)) and sorted(seen[10:20]) == list(range(10))
    assert seen[:10].tolist() != seen[10:20].tolist()
    assert order(10, 42, 0).tolist() != order(10, 43, 0).tolist()


def test_the_rate_rises_and_falls():
    args = settings(max_steps=100, warmup_steps=10, learning_rate=1.0, min_learning_rate_ratio=0.1)
    assert learning_rate(args, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(args, 50, 0.5) == pytest.approx(0.55)
    assert learning_rate(args, 100, 1.0) == pytest.approx(0.1)


def test_minutes_end_a_run_with_the_rate_at_its_lowest(tmp_path):
    started = time.monotonic()
    run = start(tmp_path, max_steps=None, epochs=1e6, max_minutes=1 / 60, eval_steps=1000, log_steps=1, save_steps=None)
    assert time.monotonic() - started < 30
    rates = [line["learning_rate"] for line in events(tmp_path) if "learning_rate" in line]
    assert rates[-1] < 0.2 * max(rates)
    assert run.state.seconds >= 1


def test_the_best_weights_win(tmp_path):
    """From step 10 on it climbs, so that later weights are worse."""
    run = Run(settings(max_steps=20, eval_steps=1), Tiny(), counting(41, 1), counting(9, 2), tmp_path)
    plain = run.step
    run.step = lambda index, rate: plain(index, rate if run.state.step < 10 else -rate)  # type: ignore[method-assign]
    state = run.start()
    assert state.best_step <= 11
    run.model.eval()
    every = np.arange(len(run.validation))
    with torch.no_grad():
        assert run.loss(run.model, run.validation, every).item() / run.validation.loss_tokens(every) == pytest.approx(
            state.best_loss, rel=1e-4
        )


def test_without_validation_the_last_weights_stay(tmp_path):
    none = pack([], 16)
    run = Run(settings(), Tiny(), counting(41, 1), none, tmp_path)
    assert run.start().best_step == 0
    assert not (tmp_path / checkpoints.BEST).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(tmp_path, number):
    run = Run(settings(save_steps=None), Tiny(), counting(41, 1), counting(9, 2), tmp_path)
    plain = run.step

    def step(index, rate):
        if run.state.step == 12:
            os.kill(os.getpid(), number)
        return plain(index, rate)

    run.step = step  # type: ignore[method-assign]
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stop:
        run.start()
    assert stop.value.status == 128 + number
    assert checkpoints.newest(tmp_path) == stop.value.checkpoint == tmp_path / "checkpoints" / "00000013.pt"
    assert signal.getsignal(number) == before
    assert same(start(tmp_path, resume=True, save_steps=None).model, start(tmp_path / "whole").model)


def test_a_loss_that_is_no_number_stops(tmp_path):
    with pytest.raises(InvalidRequest, match="loss is") as error:
        start(tmp_path, learning_rate=1e30)
    assert error.value.param == "learning_rate"


def test_other_data_is_not_resumed(tmp_path):
    start(tmp_path)
    with pytest.raises(InvalidRequest, match="other data"):
        start(tmp_path, batch_size=3, resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(InvalidRequest, match="no checkpoint"):
        start(tmp_path, resume=True)


def test_old_checkpoints_leave_and_drafts_do_not_count(tmp_path):
    folder = tmp_path / checkpoints.FOLDER
    for step in (1, 2, 3):
        checkpoints.save_step(tmp_path, step, {"step": step}, keep=2)
    assert sorted(path.name for path in folder.iterdir()) == ["00000002.pt", "00000003.pt"]
    (folder / ".00000004.pt.1").write_bytes(b"half")
    assert checkpoints.load(checkpoints.newest(tmp_path)) == {"step": 3}


WRITER = """
import sys, torch
from pathlib import Path
from shared.training import checkpoints
state = {"weights": torch.arange(2_000_000.0)}
step = 0
while True:
    step += 1
    checkpoints.save_step(Path(sys.argv[1]), step, {**state, "step": step}, keep=2)
    print(step, flush=True)
"""


def test_a_kill_at_any_time_leaves_a_whole_checkpoint(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    seen = 0
    while seen < 3:
        seen = int(writer.stdout.readline())
    time.sleep(0.013)
    writer.kill()
    writer.wait()
    writer.stdout.close()
    saved = checkpoints.load(checkpoints.newest(tmp_path))
    assert saved["step"] >= seen and saved["weights"][-1] == 1_999_999
