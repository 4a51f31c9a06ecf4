"""What a container may take counts, whichever version of cgroups the kernel has."""

from pathlib import Path

import pytest
import torch

from shared.training import memory


@pytest.mark.parametrize("files", memory.LIMITS)
def test_the_containers_limit_counts(files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    for name, value in zip(files, ("5000\n", "3000\n"), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(value)
    assert memory.available_bytes(torch.device("cpu")) == 2000


def test_without_a_limit_the_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available_bytes(torch.device("cpu")) > 2**20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert memory.available_bytes(torch.device("cpu")) > 2**20
