"""The system calls an enclave may make, as data: once while its libraries load, and fewer from then on.

Whatever is not listed fails with EPERM. `clone3` fails with ENOSYS, so that the C library falls back to `clone`, whose
flags a filter can read: only threads can be made. No list has a call that opens a socket, makes a process, reads
another process, sends a signal, or changes an owner, a mode or a time of a file.
"""

from __future__ import annotations

from dataclasses import dataclass

# From linux/sched.h, bits/fcntl-linux.h, asm-generic/ioctls.h and linux/prctl.h; the same on x86-64 and arm64.
_CLONE_VM, _CLONE_THREAD = 0x100, 0x10000
_CLONE_NEW_NAMESPACES = 0x7E020080
_DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
_TCGETS, _FIONBIO, _FIOCLEX = 0x5401, 0x5421, 0x5451
_SET_PDEATHSIG, _GET_DUMPABLE, _SET_DUMPABLE, _SET_NAME, _SET_SECCOMP = 1, 3, 4, 15, 22
_SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS, _SET_VMA = 38, 39, 0x53564D41


@dataclass(frozen=True)
class Condition:
    """The call is allowed when argument `index`, of which only the bits of `mask` count, equals `value`."""

    index: int
    value: int
    mask: int = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class SystemCall:
    """A call that is allowed under any one of the conditions; without any, always."""

    name: str
    conditions: tuple[Condition, ...] = ()


def _with_first(name: str, index: int, *values: int) -> SystemCall:
    """Integers of 32 bits, whose upper halves the kernel ignores."""
    return SystemCall(name, tuple(Condition(index, value, 0xFFFFFFFF) for value in values))


_ALWAYS = (
    # files: what can be opened is for mounts and Landlock to say
    "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev", "lseek", "close",
    "open", "openat", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
    "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
    "ftruncate", "fallocate", "fsync", "fdatasync", "fadvise64", "dup",
    # memory
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
    # threads and time
    "futex", "set_robust_list", "rseq", "set_tid_address", "gettid", "getpid", "sched_yield",
    "sched_getaffinity", "getcpu", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres",
    "gettimeofday", "time", "times", "getrusage", "sysinfo", "uname", "getrandom",
    "getuid", "geteuid", "getgid", "getegid", "getppid",
    # signals to itself that a fault raises
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "exit", "exit_group",
    # the channel
    "poll", "ppoll", "recvfrom", "recvmsg", "sendto",
)  # fmt: skip

_THREADS_ONLY = SystemCall(
    "clone",
    (Condition(0, _CLONE_VM | _CLONE_THREAD, _CLONE_VM | _CLONE_THREAD | _CLONE_NEW_NAMESPACES),),
)

AFTERWARDS = (
    *map(SystemCall, _ALWAYS),
    _THREADS_ONLY,
    _with_first("fcntl", 1, _DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC),
    _with_first("ioctl", 1, _TCGETS),
    _with_first("prctl", 0, _GET_DUMPABLE, _SET_VMA),  # no name, which all users of the host could read
    SystemCall("prlimit64", (Condition(2, 0),)),  # read a limit
)
"""What is left once the program is locked down."""

AT_LAUNCH = (
    *map(SystemCall, _ALWAYS),
    _THREADS_ONLY,
    _with_first("fcntl", 1, _DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC),
    _with_first("ioctl", 1, _TCGETS, _FIONBIO, _FIOCLEX),
    _with_first(
        "prctl",
        0,
        *(_SET_PDEATHSIG, _GET_DUMPABLE, _SET_DUMPABLE, _SET_NAME, _SET_SECCOMP),
        *(_SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS, _SET_VMA),
    ),
    _with_first("prlimit64", 0, 0),  # its own limits
    *map(
        SystemCall,
        (
            "execve", "arch_prctl", "getsockname", "getsockopt", "seccomp",
            "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
        ),
    ),
)  # fmt: skip
"""What starting Python, loading the libraries and locking down need."""
