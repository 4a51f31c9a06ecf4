"""Where a worker's jobs run: one per GPU, else as many as it may on the CPU.

A GPU is taken by a lock on a file in the data folder, named by the GPU's own UUID: no two jobs of any worker on this
machine have it at once, and the kernel gives it back when the last process that ran there is dead.
"""

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROBE_TIMEOUT_S = 20.0


@dataclass
class Slot:
    """Pass `fd` to the child, which thereby keeps the slot for as long as it lives."""

    name: str
    environment: dict[str, str]
    fd: int | None = None

    def free(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class Slots:
    def __init__(self, data_dir: Path, cpu_jobs: int, gpus: list[str]) -> None:
        self.folder = data_dir / "jobs" / ".slots"
        self.gpus = gpus
        self.free_cpu = [f"cpu {number}" for number in range(cpu_jobs)]
        self.folder.mkdir(parents=True, exist_ok=True)

    def take(self) -> Slot | None:
        """None while all are taken, by this worker or another."""
        if not self.gpus:
            return Slot(self.free_cpu.pop(), {"CUDA_VISIBLE_DEVICES": ""}) if self.free_cpu else None
        for gpu in self.gpus:
            fd = os.open(self.folder / gpu, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            return Slot(gpu, {"CUDA_VISIBLE_DEVICES": gpu}, fd)
        return None

    def give_back(self, slot: Slot) -> None:
        slot.free()
        if not self.gpus:
            self.free_cpu.append(slot.name)


def find_gpus() -> list[str]:
    """UUIDs of this machine's NVIDIA GPUs, which CUDA_VISIBLE_DEVICES takes; empty when there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    if asked.returncode:
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.startswith("GPU-")]
