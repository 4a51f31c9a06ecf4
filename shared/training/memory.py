"""How much memory there is, how much a model takes, and how the process takes it from the system.

Linux lets a process ask for more than there is and kills it later, so what is about to be allocated is compared with
what is free before.
"""

import contextlib
import ctypes
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import OutOfMemory
from shared.residents import Room
from shared.settings import ServiceSettings

if TYPE_CHECKING:
    import torch

RESERVE_BYTES = 256 * 2**20
"""Left to everything else: activations, the interpreter, the page cache."""
CGROUP = Path("/sys/fs/cgroup")
LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""What the container may take and has taken, in cgroup version 2 and in version 1."""


def choose_device(settings: ServiceSettings) -> "torch.device":
    import torch

    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def open_room(settings: ServiceSettings) -> Room:
    """The memory that a service's models share."""
    device = choose_device(settings)
    return Room(lambda: available_bytes(device) - RESERVE_BYTES, settings.memory_mb * 2**20)


def available_bytes(device: "torch.device") -> int:
    """Free memory of `device`; for the CPU the smaller of what the machine has and what the container may take."""
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    import psutil

    free = psutil.virtual_memory().available
    for limit_file, used_file in LIMITS:
        try:
            limit = (CGROUP / limit_file).read_text().strip()
            used = int((CGROUP / used_file).read_text())
        except (FileNotFoundError, PermissionError):
            continue
        return free if limit == "max" else min(free, int(limit) - used)
    return free


def require(size_bytes: int, device: "torch.device", what: str) -> None:
    """Raise OutOfMemory unless `size_bytes` more fit."""
    free = available_bytes(device) - RESERVE_BYTES
    if size_bytes > free:
        raise OutOfMemory(f"{what} needs {size_bytes / 2**20:,.0f} MB and {max(free, 0) / 2**20:,.0f} MB are free")


def weights_bytes(folder: Path) -> int:
    """The size of a model's files in `folder`, in bytes."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python failed to allocate. torch's CPU allocator has no class of its own for it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


@contextlib.contextmanager
def allocating(message: str) -> Generator[None]:
    """An allocation that fails inside is OutOfMemory with this message."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(message) from error
        raise


def keep_freed_memory() -> None:
    """glibc returns big blocks to the system and takes them again at every step; keeping them made steps 8 % faster."""
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-4, 0)  # M_MMAP_MAX: no block by mmap
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
            libc.mallopt(-2, 64 * 2**20)  # M_TOP_PAD
