"""Two processes under `torchrun`: the loss of one process with the same batch, resuming included."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.ml_text.training import ROWS, write_rows

ROOT = Path(__file__).parents[3]
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
"""`accelerate launch --cpu` starts one process only, whatever it is told, unless there is MPI."""
OPTIONS = [
    "scratch",
    "--preset=tiny",
    "--sequence-length=64",
    "--context-length=128",
    "--batch-size=4",
    "--accumulate=2",
]
OPTIONS += [
    "--max-steps=8",
    "--log-steps=1",
    "--eval-steps=4",
    "--save-steps=4",
    "--keep-checkpoints=9",
    "--precision=fp32",
]


def run(folder: Path, dataset: Path, launch: list[str], *more: str) -> list[tuple[int, float]]:
    """(step, loss) of every line, validations included."""
    command = [sys.executable, *launch, "-m", "ml_text.train", *OPTIONS, *more]
    command += ["--dataset", str(dataset), "--output-dir", str(folder), "--no-publish"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == str(folder / "model")
    assert done.stderr.count("to learn from") == 1, "one process speaks"
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [
        (line["step"], line.get("loss", line.get("validation_loss"))) for line in lines if line["type"] == "metrics"
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_learn_what_one_learns(tmp_path):
    dataset = write_rows(tmp_path / "rows.jsonl", ROWS * 12)
    alone = run(tmp_path / "alone", dataset, [])
    together = run(tmp_path / "together", dataset, LAUNCH)
    assert [step for step, _ in together] == [step for step, _ in alone]
    assert [loss for _, loss in together] == pytest.approx([loss for _, loss in alone], abs=2e-4)
    newest = sorted((tmp_path / "together" / "checkpoints").iterdir())[-1]
    newest.unlink()  # as if it had been killed between step 4 and step 8
    again = run(tmp_path / "together", dataset, LAUNCH, "--resume")[len(together) :]
    assert [loss for _, loss in again] == pytest.approx([loss for step, loss in together if step > 4], abs=2e-4)
