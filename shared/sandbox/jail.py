"""The jail: a script of its own, `python -I -S -B jail.py`, that runs one hostile program and says how it ended.

Three processes. The *guard* stays outside and keeps the time; the *builder* has namespaces of its own and builds a
root folder that holds Python's library, read-only, and one small folder in memory; the *prisoner* is process 1 in
there: no user of this machine, no capability, no process or thread besides, no network, and of the kernel only the
calls that the filter lets through. When the guard's parent is gone, all of them are.

Standard input: one line of JSON, then open for as long as the parent lives. Standard output: one line of JSON.
"""

import base64
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

# linux/sched.h, linux/mount.h, linux/prctl.h
NAMESPACES = 0x10000000 | 0x20000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x02000000
"""user, mount, pid, network, ipc, host name, cgroup"""
BIND, RECURSIVE, PRIVATE, NOSUID, NODEV, NOEXEC = 0x1000, 0x4000, 1 << 18, 2, 4, 8
DETACH = 2
MOUNT_SETATTR, AT_RECURSIVE, RDONLY = 442, 0x8000, 1
SET_PDEATHSIG, SET_SECCOMP, SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 1, 22, 38, 2
NOBODY = 65534
ROOT, BOX = "/tmp", "/box"
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
KEPT_BYTES = 16_384
"""Of what the program prints; the rest is thrown away as it comes."""

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> None:
    """A function of the C library; OSError, naming it, when the kernel refuses."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main() -> None:
    job = json.loads(sys.stdin.buffer.readline())
    report, report_to = os.pipe()
    output, output_to = os.pipe()
    ready, ready_to = os.pipe()
    go, go_to = os.pipe()
    builder = os.fork()
    if builder == 0:
        for fd in (0, 1, 2, report, output, ready, go_to):
            os.close(fd)
        build(job, ready_to, go, report_to, output_to)
    for fd in (report_to, output_to, ready_to, go):
        os.close(fd)
    if os.read(ready, 1):
        try:
            map_users(builder)
            os.write(go_to, b"1")
        except OSError as error:
            finish(builder, {"status": "refused", "detail": f"user map: {error.strerror}"})
    watch(builder, report, output, time.monotonic() + job["seconds"])


def map_users(builder: int) -> None:
    """Root keeps itself for building and maps nobody for the program; anyone else becomes nobody."""
    user, group = os.getuid(), os.getgid()
    for kind, own in (("uid", user), ("gid", group)):
        if kind == "gid" and user:
            write(f"/proc/{builder}/setgroups", "deny")
        lines = f"0 0 1\n{NOBODY} {NOBODY} 1\n" if user == 0 else f"{NOBODY} {own} 1\n"
        write(f"/proc/{builder}/{kind}_map", lines)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def watch(builder: int, report: int, output: int, deadline: float) -> NoReturn:
    """Until both pipes are closed, time is up, or the parent has gone."""
    told, printed = b"", b""
    open_fds = {report, output}
    poll = select.poll()
    for fd in (0, report, output):
        poll.register(fd, select.POLLIN)
    while open_fds:
        left = deadline - time.monotonic()
        if left <= 0:
            finish(builder, {"status": "timeout", "detail": "time is up", "output": text(printed)})
        for fd, _ in poll.poll(left * 1000):
            piece = os.read(fd, 65536)
            if fd == 0:
                if not piece:
                    finish(builder, None)
            elif not piece:
                poll.unregister(fd)
                open_fds.remove(fd)
            elif fd == report:
                told = (told + piece)[:KEPT_BYTES]
            else:
                printed = (printed + piece)[:KEPT_BYTES]
    try:
        said = json.loads(told)
    except ValueError:  # it left without a word: os._exit, a crash, or the processor time was up
        said = {"status": "failed", "detail": "the program ended before its last line"}
    finish(builder, {**said, "output": text(printed)})


def text(printed: bytes) -> str:
    return printed.decode(errors="replace")


def finish(builder: int, answer: dict[str, str] | None) -> NoReturn:
    os.kill(builder, signal.SIGKILL)  # and with it its namespaces' process 1, and with that all others
    os.waitpid(builder, 0)
    if answer is not None:
        os.write(1, json.dumps(answer).encode() + b"\n")
    os._exit(0)


def build(job: dict[str, Any], ready: int, go: int, report: int, output: int) -> NoReturn:
    """In the builder: namespaces, root folder, and the prisoner in them."""
    try:
        call("prctl", SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        null = os.open("/dev/null", os.O_RDONLY)
        call("unshare", NAMESPACES)
        os.write(ready, b"1")
        if not os.read(go, 1):
            os._exit(1)
        build_root(job["folder_bytes"])
        prisoner = os.fork()
        if prisoner == 0:
            confine(job, null, report, output)
            run(job["program"], report)
        os.close(report)
        os.close(output)
        os.waitpid(prisoner, 0)
    except OSError as error:
        os.write(report, json.dumps({"status": "refused", "detail": error.strerror}).encode())
    os._exit(0)


def build_root(folder_bytes: int) -> None:
    """`/` becomes a folder in memory with Python's library in it, read-only, and BOX, which can be written."""
    links, folders = visible()
    held = {folder: os.open(folder, os.O_PATH) for folder in folders}  # ROOT may hide them
    call("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    call("mount", b"tmpfs", ROOT.encode(), b"tmpfs", NOSUID | NODEV | NOEXEC, b"size=1m,nr_inodes=1k,mode=0755")
    for link, target in links.items():
        os.makedirs(os.path.dirname(ROOT + link), exist_ok=True)
        os.symlink(target, ROOT + link)
    for folder, fd in held.items():
        os.makedirs(ROOT + folder)
        call("mount", f"/proc/self/fd/{fd}".encode(), (ROOT + folder).encode(), None, BIND | RECURSIVE, None)
        set_attributes(ROOT + folder, RDONLY | NOSUID | NODEV, AT_RECURSIVE)
        os.close(fd)
    os.mkdir(ROOT + BOX)
    options = f"size={folder_bytes},nr_inodes=1k,mode=0777".encode()
    call("mount", b"tmpfs", (ROOT + BOX).encode(), b"tmpfs", NOSUID | NODEV | NOEXEC, options)
    set_attributes(ROOT, RDONLY | NOSUID | NODEV | NOEXEC, 0)
    os.chdir(ROOT)
    call("pivot_root", b".", b".")
    call("umount2", b".", DETACH)
    os.chdir(BOX)


def visible() -> tuple[dict[str, str], list[str]]:
    """(links, folders) that the program sees: the standard library, and what its extensions are linked with."""
    wanted = sorted({*LIBRARIES, *sys.path})
    links = {path: os.readlink(path) for path in wanted if os.path.islink(path)}
    folders: list[str] = []
    for path in wanted:
        if path not in links and os.path.isdir(path) and not any(path.startswith(f"{above}/") for above in folders):
            folders.append(path)
    return links, folders


def set_attributes(path: str, attributes: int, flags: int) -> None:
    """mount_setattr(2), Linux 5.12: unlike a remount it leaves what the kernel has locked as it is."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    call("syscall", MOUNT_SETATTR, -100, path.encode(), flags, ctypes.byref(wanted), ctypes.sizeof(wanted))


def confine(job: dict[str, Any], null: int, report: int, output: int) -> None:
    """In the prisoner: nothing is left of what it could do outside."""
    os.setsid()
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for fd in range(3, 256):
        if fd != report:
            try:
                os.close(fd)
            except OSError:
                continue
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    call("capset", ctypes.byref(header), ctypes.byref(nothing))
    call("prctl", SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user had cleared it
    call("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for what, most in (
        (resource.RLIMIT_AS, job["memory_bytes"]),
        (resource.RLIMIT_CPU, int(job["seconds"]) + 1),
        (resource.RLIMIT_FSIZE, job["folder_bytes"]),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_NPROC, 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (most, most))
    code = base64.b64decode(job["filter"])
    held = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_uint16), ("code", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.addressof(held))
    call("prctl", SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def run(program: str, report: int) -> NoReturn:
    """Whatever it raises, SystemExit too, is a failure; only reaching the last line is none."""
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "program"})  # noqa: S102  what all this is for
        said = {"status": "passed", "detail": ""}
    except BaseException as error:
        said = {"status": "failed", "detail": describe(error)}
    try:
        sys.stdout.flush()
    except Exception as error:  # such as no room in memory; the verdict stands
        said["detail"] = said["detail"] or describe(error)
    os.write(report, json.dumps(said).encode())
    os._exit(0)


def describe(error: BaseException) -> str:
    """Of a class that the program may have made itself."""
    try:
        return f"{type(error).__name__}: {error}"[:500].rstrip(": ")
    except BaseException:
        return "an error that cannot be told"


if __name__ == "__main__":
    main()
