"""The command that starts a program under bubblewrap: nothing of the host but the code it runs, read-only.

Where the service is root, the program is an ordinary user outside of its namespaces too. A first, privileged stage
only lays the mounts out, as that user may not reach them under their own names; the second, run as that user, makes the
sandbox and sees only what was laid out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from privacy.errors import EnclaveUnavailable

_PROGRAMS = "/usr/bin:/bin:/usr/local/bin"
# Its own process ids: once the first process is killed, the kernel ends all others, the ordinary user's too.
_OUTER = ("--die-with-parent", "--unshare-pid", "--clearenv", "--proc", "/proc", "--dir", "/tmp")
_DROP = (
    "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs",
)  # fmt: skip
_INNER = (
    "--die-with-parent", "--new-session", "--as-pid-1",
    "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--clearenv",
)  # fmt: skip
_LAST = ("--chdir", "/", "--remount-ro", "/")
TEMPLATE: Mapping[str, Sequence[str]] = {"outer": _OUTER, "drop": _DROP, "inner": _INNER, "last": _LAST}
"""Every argument that is the same for all programs and machines."""

_SYSTEM_LINKS = ("/lib", "/lib64")
_SYSTEM_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, and where the program sees it, read-only."""

    source: Path
    target: str


@dataclass(frozen=True)
class BubblewrapSettings:
    """`ordinary`: the user to become, 0 to stay who the service is. `filter_descriptor`: the first filter's."""

    mounts: Sequence[Mount]
    environment: Mapping[str, str]
    spill: str
    spill_bytes: int
    filter_descriptor: int
    ordinary: int = 0


def bubblewrap_command(settings: BubblewrapSettings, program: Sequence[str]) -> list[str]:
    """`program` in the sandbox. Raises EnclaveUnavailable when bubblewrap is not installed."""
    bubblewrap = _installed("bwrap")
    inner = [*_INNER, "--seccomp", str(settings.filter_descriptor)]
    for name, value in settings.environment.items():
        inner += ["--setenv", name, value]
    system = list(_system())
    if not settings.ordinary:
        return [
            bubblewrap,
            *inner,
            *system,
            *_bound(settings.mounts),
            *_spill(settings),
            *_LAST,
            "--",
            *program,
        ]
    shown = sorted({f"/{mount.target.split('/')[1]}" for mount in settings.mounts})
    again = _bound([Mount(Path(target), target) for target in shown])
    user = str(settings.ordinary)
    drop = [_installed("setpriv"), "--reuid", user, "--regid", user, *_DROP, "--"]
    outer = [*_OUTER, *_whole_system(), *_open_folders(settings.mounts), *_bound(settings.mounts), "--"]
    second = [bubblewrap, *inner, *system, *again, *_spill(settings), *_LAST, "--"]
    return [bubblewrap, *outer, *drop, *second, *program]


def _installed(name: str) -> str:
    found = shutil.which(name, path=_PROGRAMS)
    if found is None:
        package = {"bwrap": "bubblewrap", "setpriv": "util-linux"}[name]
        raise EnclaveUnavailable(
            f"{package} is not installed, which keeps an enclave apart from this machine; nothing was started",
            hint=f"on Debian or Ubuntu: sudo apt-get install {package}; or ask for reduced isolation",
        )
    return found


def _system() -> Iterator[str]:
    """The C library and what Python's own extensions need; no programs."""
    for folder in _SYSTEM_FOLDERS:
        yield from ("--ro-bind-try", folder, folder)
    yield from _links(_SYSTEM_LINKS)


def _whole_system() -> Iterator[str]:
    """For the first stage, which has two programs to run."""
    yield from ("--ro-bind", "/usr", "/usr")
    yield from _links((*_SYSTEM_LINKS, "/bin"))


def _links(paths: Sequence[str]) -> Iterator[str]:
    """As on this machine: links into /usr, or folders of their own."""
    for path in paths:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        else:
            yield from ("--ro-bind-try", path, path)


def _bound(mounts: Sequence[Mount]) -> Iterator[str]:
    for mount in mounts:
        yield from ("--ro-bind", str(mount.source), mount.target)


def _open_folders(mounts: Sequence[Mount]) -> Iterator[str]:
    """Folders on the way to a mount, which bubblewrap would make for root's eyes only."""
    for folder in sorted({str(parent) for mount in mounts for parent in Path(mount.target).parents} - {"/"}):
        yield from ("--perms", "0755", "--dir", folder)


def _spill(settings: BubblewrapSettings) -> tuple[str, ...]:
    return ("--perms", "0700", "--size", str(settings.spill_bytes), "--tmpfs", settings.spill)
