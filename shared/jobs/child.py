"""One attempt at a job: the trainer's command line in a process of its own, which dies with its worker.

At most one child per folder lives: it holds a lock on the file `running`, with its host and process group in it. What
still runs of an attempt that lost the job (its worker was stopped or cut off, not killed) is killed before a new one
starts.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.jobs import folder as folders
from shared.jobs.slots import Slot

RUNNING = "running"
FILES = {"training.jsonl": "--dataset", "validation.jsonl": "--validation-dataset"}
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


class StillRunning(Exception):
    """An earlier attempt's child lives, on another machine or not killed yet."""


class Child:
    """Start it from the main thread: the kernel kills it when the thread that started it ends."""

    def __init__(self, folder: Path, command: Sequence[str], slot: Slot, environment: Mapping[str, str]) -> None:
        self.slot = slot
        lock = lock_folder(folder)
        worker = os.getpid()

        def die_with_worker() -> None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != worker:  # it died before the line above
                os._exit(1)

        try:
            with (folder / folders.LOG).open("ab") as log:
                self.log_start = log.tell()
                self.process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # one signal reaches all that it starts
                    pass_fds=[fd for fd in (lock, slot.fd) if fd is not None],
                    preexec_fn=die_with_worker,
                )
            os.pwrite(lock, json.dumps([socket.gethostname(), self.process.pid]).encode(), 0)
        finally:
            os.close(lock)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self.process.poll()

    def ask_to_stop(self) -> None:
        """It writes a checkpoint after the step that it is at, and ends."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Also ends what a dead child left behind in its group."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def lock_folder(folder: Path) -> int:
    """The locked file's descriptor. Kills a stranded child of this machine first; raises StillRunning."""
    fd = os.open(folder / RUNNING, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _try_lock(fd):
            _kill_holder(fd)
            deadline = time.monotonic() + 1.0
            while not _try_lock(fd):
                if time.monotonic() > deadline:
                    raise StillRunning(str(folder))
                time.sleep(0.01)
        os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_holder(fd: int) -> None:
    """The lock is held, so the number in the file is still that group's."""
    text = os.pread(fd, 1000, 0)
    if not text:  # it starts at this very moment
        return
    host, group = json.loads(text)
    if host == socket.gethostname():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def command_line(module: Sequence[str], spec: Mapping[str, Any], folder: Path, token: str) -> list[str]:
    """`module` is `python -m ml_text.train`; the spec's `args` become its options."""
    given: dict[str, Any] = {
        **spec["args"],
        "name": spec["name"],
        "output_dir": str(folder),
        "attempt": token,
        "resume": bool(folders.checkpoints(folder)),
    }
    files = [(FILES[name], str(folder / name)) for name in spec["files"]]
    options = [option for name, value in given.items() if value is not None for option in _option(name, value)]
    return [*module, spec["trainer"], *options, *(f"{option}={path}" for option, path in files)]


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}={json.dumps(value) if isinstance(value, list | dict) else value}"]
