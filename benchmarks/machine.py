"""What every benchmark prints beside its figures: the machine that it ran on, and a table."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

PACKAGES = ("torch", "transformers", "fastapi", "uvicorn", "openai")


def describe() -> str:
    """One line: processor, cores, memory, load over the last minute, versions."""
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if _is_installed(name))
    load = os.getloadavg()[0]
    return (
        f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores, {_memory_gib():.0f} GiB, load {load:.2f}; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}"
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table with padded columns; floats keep three significant digits."""
    cells = [list(headers), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
