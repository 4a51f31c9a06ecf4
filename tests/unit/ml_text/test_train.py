"""The command line: which method, both spellings, bad arguments by name, and runs that are stopped or killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml_text.train import PROGRAM
from ml_text.trainers import TRAINERS
from shared.errors import InvalidRequest
from shared.training import checkpoints, launch

ROOT = Path(__file__).resolve().parents[3]
TINY = ["--preset", "tiny", "--sequence-length=64", "--batch_size", "4", "--context-length", "128", "--warmup_steps=5"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    file = tmp_path / "numbers.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"after {n}", "completion": f"{n + 1}"}) for n in range(60)))
    return file


@pytest.fixture(autouse=True)
def _data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("argv", "method", "left"),
    [
        (["lora", "--x"], "lora", ["--x"]),
        (["--model", "m", "--use-lora"], "lora", ["--model", "m"]),
        (["--use_lora", "--dataset", "d"], "lora", ["--dataset", "d"]),
        (["lora", "--use-lora"], "lora", []),
        (["--dataset", "d"], "scratch", ["--dataset", "d"]),
        (["--model=m", "--quick-start"], "sft", ["--model=m", "--quick-start"]),
    ],
)
def test_which_method(argv, method, left):
    assert launch.choose(PROGRAM, argv) == (method, left)


@pytest.mark.parametrize("argv", [["dance"], ["scratch", "--use-lora"]])
def test_methods_that_are_not_there(argv):
    with pytest.raises(InvalidRequest):
        launch.choose(PROGRAM, argv)


def test_both_spellings_and_many_files():
    args = launch.parse(
        PROGRAM, "scratch", ["--dataset", "a,b.jsonl", "c [1].jsonl", "--batch_size=3", "--max-steps", "5"]
    )
    assert args.dataset == [Path("a,b.jsonl"), Path("c [1].jsonl")]
    assert (args.batch_size, args.max_steps, args.publish) == (3, 5, True)
    assert launch.parse(PROGRAM, "scratch", ["--dataset=a", "--dataset=b", "--no-publish"]).dataset == [
        Path("a"),
        Path("b"),
    ]


def test_the_environment_sets_no_option(monkeypatch):
    monkeypatch.setenv("SEED", "7")
    monkeypatch.setenv("NAME", "someone")
    args = launch.parse(PROGRAM, "lora", ["--dataset", "a"])
    assert (args.seed, args.name) == (42, None)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["scratch"], "--dataset: Field required"),
        (["scratch", "--dataset", "x", "--batch_size", "0"], "--batch-size: Input should be greater than 0"),
        (["scratch", "--dataset", "x", "--learning-rate", "fast"], "--learning-rate: "),
        (["scratch", "--dataset", "x", "--preset", "huge"], "--preset"),
        (["scratch", "--dataset", "x", "--wings", "2"], "--wings"),
        (["lora", "--dataset", "missing.jsonl", "--model", "nowhere"], "--model: no model 'nowhere'"),
        (["scratch", "--dataset", "missing.jsonl"], "--dataset: missing.jsonl: No such file"),
        (["scratch", "--dataset", "x", "--name", "../etc"], "--model: '../etc' is not a model name"),
        (["dance", "--dataset", "x"], "there is no training method 'dance'; there is scratch, lora"),
        (["scratch", "--dataset", "x", "--resume"], "--resume: there is no checkpoint"),
    ],
)
def test_bad_arguments_end_with_2(argv, said, capsys):
    try:
        status = launch.run(PROGRAM, argv)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert said in capsys.readouterr().err


def test_a_bad_row_ends_with_2_or_is_skipped(dataset, tmp_path, capsys):
    dataset.write_text(dataset.read_text() + '\n{"prompt": 3, "completion": "x"}\n')
    argv = [*TINY, "--dataset", str(dataset), "--max-steps", "2"]
    assert launch.run(PROGRAM, argv) == 2
    assert "--dataset: numbers.jsonl, row 61: prompt is a string, not int" in capsys.readouterr().err
    assert launch.run(PROGRAM, [*argv, "--on-bad-row", "skip"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "numbers\n" and "1 bad rows were skipped" in shown.err


@pytest.mark.parametrize("method", list(TRAINERS))
def test_help_has_every_option_described(method, capsys):
    with pytest.raises(SystemExit) as stop:
        launch.run(PROGRAM, [method, "--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in TRAINERS[method].Args.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description and field.description in shown


def test_help_names_the_methods(capsys):
    assert launch.run(PROGRAM, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in TRAINERS)


def test_an_unfinished_run_is_not_overwritten(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    checkpoints.save_step(out, 5, {}, keep=2)
    argv = [*TINY, "--dataset", str(dataset), "--max-steps", "2", "--no-publish", "--output-dir", str(out)]
    assert launch.run(PROGRAM, argv) == 2
    assert "--resume goes on with it, --restart throws it away" in capsys.readouterr().err
    assert launch.run(PROGRAM, [*argv, "--restart"]) == 0
    assert launch.run(PROGRAM, argv) == 0, "a finished run may be repeated"


def start(dataset: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ml_text.train", "scratch", *TINY, "--dataset", str(dataset), "--no-publish"]
    command += ["--output-dir", str(out), "--max-steps", "120", "--save-steps", "20", "--keep-checkpoints", "2", *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoint(process: "subprocess.Popen[str]", out: Path) -> None:
    while process.poll() is None and not checkpoints.found(out):
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_stopped_and_resumed_is_undisturbed(dataset, tmp_path, number, status):
    """In real processes: kill -9 and SIGTERM; the resumed model is the undisturbed one, byte for byte."""
    whole = start(dataset, tmp_path / "whole")
    parts = start(dataset, tmp_path / "parts")
    wait_for_checkpoint(parts, tmp_path / "parts")
    os.kill(parts.pid, number)
    said = parts.communicate()[1]
    assert parts.returncode == status
    if number != signal.SIGKILL:
        assert "go on with: python -m ml_text.train scratch" in said and said.rstrip().endswith("--resume")
    assert not (tmp_path / "parts" / "model").exists()
    resumed = start(dataset, tmp_path / "parts", "--resume")
    assert "resumed from" in resumed.communicate()[1] and resumed.returncode == 0
    assert whole.communicate() and whole.returncode == 0
    one, other = (tmp_path / name / "model" / "model.safetensors" for name in ("whole", "parts"))
    assert one.read_bytes() == other.read_bytes()
