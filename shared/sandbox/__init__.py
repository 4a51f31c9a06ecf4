"""Running code that nobody has read: in a child without files, network, processes, or much time and memory.

Containment holds against hostile code. The verdict "passed" holds against careless code (sys.exit, os._exit, prints),
not against code that goes looking for its judge in its own process's memory.
"""

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.errors import IsolationRefused
from shared.sandbox.syscalls import build_filter

JAIL = Path(__file__).with_name("jail.py")
GRACE_S = 10.0
"""For starting and ending the child, beside the program's own time."""


@dataclass(frozen=True)
class Limits:
    seconds: float = 5.0
    """Of wall-clock time."""
    memory_bytes: int = 512 << 20
    folder_bytes: int = 16 << 20
    """What it may write, into a folder in memory."""


@dataclass(frozen=True)
class Verdict:
    status: Literal["passed", "failed", "timeout"]
    """passed: the program's last line was reached."""
    detail: str
    output: str
    """The beginning of what it printed."""
    seconds: float


def run(program: str, limits: Limits = Limits()) -> Verdict:
    """Run `program` to its end or its limits. Raises IsolationRefused where the kernel does not let it be locked in."""
    job = {
        "program": program,
        "seconds": limits.seconds,
        "memory_bytes": limits.memory_bytes,
        "folder_bytes": limits.folder_bytes,
        "filter": base64.b64encode(build_filter()).decode(),
    }
    started = time.monotonic()
    said = _ask(json.dumps(job).encode() + b"\n", limits.seconds + GRACE_S)
    if said["status"] == "refused":
        raise IsolationRefused(f"the kernel refuses to isolate code, so none is run ({said['detail']})")
    return Verdict(said["status"], said["detail"], said.get("output", ""), time.monotonic() - started)


def _ask(job: bytes, timeout_s: float) -> dict[str, Any]:
    """The jail's answer. It ends by itself when its time is up, and when this process is gone."""
    command = [sys.executable, "-I", "-S", "-B", str(JAIL)]
    pipe = subprocess.PIPE
    # an empty environment, and a session of its own: nothing of ours is there to be read or signalled
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env={}, start_new_session=True) as child:
        assert child.stdin and child.stdout and child.stderr
        try:
            child.stdin.write(job)
            child.stdin.flush()
            answer = _read(child, timeout_s)
        except BrokenPipeError:
            answer = b""
        finally:
            child.kill()
        if not answer.endswith(b"\n"):
            why = child.stderr.read().decode(errors="replace").strip().splitlines()
            raise IsolationRefused(f"the sandbox did not start ({why[-1][:200] if why else 'no answer in time'})")
        return json.loads(answer)


def _read(child: "subprocess.Popen[bytes]", timeout_s: float) -> bytes:
    """Its one line, or what there is of it when `timeout_s` have passed."""
    import select

    assert child.stdout
    answer, deadline = b"", time.monotonic() + timeout_s
    while not answer.endswith(b"\n"):
        if not select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return answer
        piece = child.stdout.read1()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]
        if not piece:
            return answer
        answer += piece
    return answer
