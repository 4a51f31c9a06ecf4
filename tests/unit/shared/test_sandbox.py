"""Hostile programs are contained, whatever they try; where the kernel refuses to isolate, nothing is run."""

import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shared.errors import IsolationRefused
from shared.sandbox import Limits, run, syscalls

QUICK = Limits(seconds=2)
LIBC = "import ctypes, errno; libc = ctypes.CDLL(None, use_errno=True)\n"


@pytest.fixture(scope="module", autouse=True)
def _isolation() -> None:
    try:
        run("pass")
    except IsolationRefused as refused:
        pytest.skip(str(refused))


def test_what_ends_well_passes_and_what_does_not_says_why() -> None:
    assert run("import hashlib, json, random\nprint('seen')").output == "seen\n"
    for program, detail in {
        "assert 1 == 2, 'no'": "AssertionError: no",
        "import sys; sys.exit(0)": "SystemExit: 0",
        "import os; os._exit(0)": "ended before",
        "input()": "EOFError",
        "def": "SyntaxError",
        "class E(Exception):\n def __str__(self): raise self\nraise E": "an error that cannot be told",
        "import ctypes; ctypes.string_at(0)": "ended before",
    }.items():
        verdict = run(program, QUICK)
        assert (verdict.status, detail in verdict.detail) == ("failed", True), (program, verdict)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("bytearray(10 << 30)", "MemoryError"),
        ("import os\nwhile True: os.fork()", "PermissionError"),
        ("import threading; threading.Thread(target=print).start()", "can't start new thread"),
        ("import os; os.execv('/bin/sh', ['sh'])", "PermissionError"),
        ("import socket; socket.create_connection(('127.0.0.1', 80))", "PermissionError"),
        ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", "PermissionError"),
        ("import os, signal; os.kill(0, signal.SIGKILL)", "PermissionError"),
        ("import os, signal; os.kill(-1, signal.SIGKILL)", "PermissionError"),
        ("import os; os.memfd_create('m')", "PermissionError"),
        ("open('/etc/shadow').read()", "FileNotFoundError"),
        ("open('/proc/self/environ').read()", "FileNotFoundError"),
        ("open('/written', 'w')", "Read-only"),
        ("import os; open(os.__file__, 'a')", "os.py"),
        ("open('many', 'wb').write(bytes(64 << 20))", "File too large"),
        ("for i in range(99): open(str(i), 'wb').write(bytes(1 << 20))", "No space left"),
    ],
)
def test_what_is_tried_is_refused(program: str, error: str) -> None:
    verdict = run(program, QUICK)
    assert verdict.status == "failed" and error in verdict.detail, verdict


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "while True: print('x' * 1000)",
        "import time; time.sleep(99)",
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
    ],
)
def test_time_ends_everything(program: str) -> None:
    started = time.monotonic()
    verdict = run(program, Limits(seconds=1))
    assert verdict.status == "timeout" and time.monotonic() - started < 5
    assert len(verdict.output) <= 16_384


def test_it_sees_the_library_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    seen = run(f"""
import os
assert not os.path.exists({str(tmp_path)!r}) and not os.path.exists({str(Path(__file__))!r})
assert os.getuid() == 65534 and os.getpid() == 1 and 'PATH' not in os.environ and os.listdir() == []
os.chdir("/"); os.chdir(".."); assert "etc" not in os.listdir() and "box" in os.listdir()
""")
    assert seen.status == "passed", seen


def test_calls_past_python_are_refused_too() -> None:
    calls = "socket(2, 1, 0)", "unshare(0x10000000)", "mount(b'n', b'/box', b't', 0, None)", "ptrace(0, 1, 0, 0)"
    more = "shmget(0, 1 << 20, 0o1600)", "syscall(425, 8, 0)", "setuid(0)", "prctl(22, 0, 0, 0, 0)", "personality(0)"
    checks = "".join(
        f"assert libc.{call} == -1 and ctypes.get_errno() == errno.EPERM, '{call[:6]}'\n" for call in calls + more
    )
    assert run(LIBC + checks, QUICK).detail == ""


def test_the_child_is_gone_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", "from shared.sandbox import *; run('while True: pass', Limits(seconds=60))"],
        cwd=os.getcwd(),
    )
    found = ""
    for _ in range(100):
        time.sleep(0.1)
        found = _children(parent.pid)
        if len(found.split()) == 3:
            break
    assert len(found.split()) == 3, "guard, builder, prisoner"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(50):
        if not any(Path(f"/proc/{pid}").exists() for pid in found.split()):
            return
        time.sleep(0.1)
    raise AssertionError("it outlived its parent")


def _children(pid: int | str) -> str:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    own = path.read_text() if path.exists() else ""
    return " ".join([own, *(_children(child) for child in own.split())])


def test_a_kernel_that_refuses_runs_nothing(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        from shared.errors import IsolationRefused
        from shared.sandbox import run
        try:
            run("print('ran')")
        except IsolationRefused as error:
            print(error)
    """)
    shell = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" -c "$1"'
    refused = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", shell, sys.executable, script],
        capture_output=True,
        text=True,
    )
    assert refused.stdout.startswith("the kernel refuses to isolate code"), refused


def test_the_filter_knows_two_processors_and_no_third() -> None:
    assert len(syscalls.build_filter(platform.machine())) % 8 == 0
    intel, arm = syscalls.numbers("x86_64"), syscalls.numbers("aarch64")
    assert len(set(intel)) == len(intel) > len(arm) == len(set(arm))
    with pytest.raises(IsolationRefused, match="riscv64"):
        syscalls.numbers("riscv64")
