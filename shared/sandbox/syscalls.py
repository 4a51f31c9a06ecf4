"""What the program in the sandbox may ask of the kernel, as a seccomp filter: what is not named is refused.

Absent on purpose: fork, clone and exec; sockets; kill and ptrace; ioctl and prctl; mounts and namespaces; shared
memory, memfd and io_uring, which memory limits do not count. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import platform
import struct

from shared.errors import IsolationRefused

ALLOWED = """
read 0 63; write 1 64; readv 19 65; writev 20 66; pread64 17 67; pwrite64 18 68; open 2 -; openat 257 56;
close 3 57; lseek 8 62; dup 32 23; dup2 33 -; dup3 292 24; pipe 22 -; pipe2 293 59; fcntl 72 25; flock 73 32;
poll 7 -; ppoll 271 73; select 23 -; pselect6 270 72;
stat 4 -; fstat 5 80; lstat 6 -; newfstatat 262 79; statx 332 291; access 21 -; faccessat 269 48;
faccessat2 439 439; statfs 137 43; fstatfs 138 44; readlink 89 -; readlinkat 267 78; getdents64 217 61;
getcwd 79 17; chdir 80 49; fchdir 81 50;
fsync 74 82; fdatasync 75 83; truncate 76 45; ftruncate 77 46; rename 82 -; renameat 264 38;
renameat2 316 276; mkdir 83 -; mkdirat 258 34; rmdir 84 -; link 86 -; linkat 265 37; unlink 87 -;
unlinkat 263 35; symlink 88 -; symlinkat 266 36;
chmod 90 -; fchmod 91 52; fchmodat 268 53; umask 95 166; utimensat 280 88;
mmap 9 222; mprotect 10 226; munmap 11 215; mremap 25 216; brk 12 214; mincore 27 232; madvise 28 233;
futex 202 98; set_robust_list 273 99; set_tid_address 218 96; rseq 334 293; sched_yield 24 124;
sched_getaffinity 204 123;
rt_sigaction 13 134; rt_sigprocmask 14 135; rt_sigreturn 15 139; rt_sigpending 127 136;
rt_sigtimedwait 128 137; rt_sigsuspend 130 133; sigaltstack 131 132; restart_syscall 219 128; pause 34 -;
alarm 37 -; getitimer 36 102; setitimer 38 103;
nanosleep 35 101; clock_nanosleep 230 115; clock_gettime 228 113; clock_getres 229 114; gettimeofday 96 169;
time 201 -; times 100 153;
getpid 39 172; getppid 110 173; gettid 186 178; getuid 102 174; getgid 104 176; geteuid 107 175;
getegid 108 177; getresuid 118 148; getresgid 120 150; getgroups 115 158; getpgrp 111 -; getpgid 121 155;
getsid 124 156;
getrlimit 97 163; prlimit64 302 261; getrusage 98 165; sysinfo 99 179; uname 63 160; getrandom 318 278;
wait4 61 260; exit 60 93; exit_group 231 94;
"""
"""Name, number on x86_64, number on aarch64 (asm/unistd_64.h, asm-generic/unistd.h)."""
MACHINES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}
"""machine -> (AUDIT_ARCH of linux/audit.h, its column of ALLOWED)"""
CLONE3, X32 = 435, 0x40000000
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
NUMBER_AT, ARCH_AT = 0, 4
"""In struct seccomp_data."""


def numbers(machine: str) -> list[int]:
    """Raises IsolationRefused for a processor whose numbers are not known here."""
    if machine not in MACHINES:
        raise IsolationRefused(f"code is not isolated on {machine}, only on {' and '.join(MACHINES)}")
    rows = [entry.split() for entry in ALLOWED.replace("\n", " ").split(";") if entry.strip()]
    return [int(row[MACHINES[machine][1]]) for row in rows if row[MACHINES[machine][1]] != "-"]


def build_filter(machine: str | None = None) -> bytes:
    """An array of struct sock_filter. A jump counts the instructions that it passes over."""
    machine = machine or platform.machine()
    allowed = numbers(machine)
    steps = [
        (LOAD, 0, 0, ARCH_AT),
        (EQUAL, 1, 0, MACHINES[machine][0]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL),
        (EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, ENOSYS),  # so that the C library falls back on clone, and says what is wrong
        *((EQUAL, len(allowed) - at, 0, number) for at, number in enumerate(allowed)),
        (RETURN, 0, 0, EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
