"""Two processes make one model: what the first makes of the data is there for the other, and neither waits for ever."""

import subprocess
import sys
from pathlib import Path

import pytest

from ml_image.trainers.bringing import WORK
from tests.unit.ml_image.training import losses

ROOT = Path(__file__).parents[3]
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "ml_image.train"]
OPTIONS = ["--max-steps=2", "--log-steps=1", "--batch-size=4", "--dataset=scenes", "--scenes=30", "--no-publish"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_nothing_and_then_an_adapter(tmp_path: Path) -> None:
    """With 30 pictures one is held out, so that one process has nothing to look at."""

    def train(name: str, *options: str) -> Path:
        out = tmp_path / name
        command = [sys.executable, *LAUNCH, *options, *OPTIONS, f"--output-dir={out}", "--validation-fraction=0.05"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        assert len(losses(out)) == 2 and (out / "result.json").is_file()
        return out

    whole = train("whole", "scratch", "--preset=tiny", "--autoencoder-steps=2")
    assert (whole / WORK).is_dir()
    adapter = train("adapter", "lora", f"--model={whole / 'model'}")
    assert (adapter / "model" / "pytorch_lora_weights.safetensors").is_file() and not (adapter / WORK).exists()
