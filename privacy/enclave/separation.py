"""What a process does to separate itself from the host where bubblewrap cannot: as much as the kernel lets it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from privacy.enclave.kernel_calls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    drop_bounding_set,
    drop_capabilities,
    mount,
    unshare,
)

_APART = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
_HIDDEN = ("/proc", "/sys", "/dev", "/run")
_OF_ITSELF = ("/proc/self", "/sys/fs/cgroup", "/sys/devices/system/cpu")


@dataclass(frozen=True)
class Separation:
    """How far it went. `can_spill`: the folder for spilled data is in memory. `needed`: folders that cannot be hidden,
    and that engines want to read of themselves."""

    can_spill: bool
    needed: tuple[str, ...]


def separate(spill: str, spill_bytes: int, *, ordinary: int = 0) -> Separation:
    """Own namespaces, nothing in /proc and its like, a sized file system in memory at `spill`, no capabilities, and the
    user `ordinary` if one is given."""
    is_hidden = can_spill = False
    if _own_namespaces():
        hidden = [_empty_at(folder, 4096, os.getuid()) for folder in _HIDDEN if os.path.isdir(folder)]
        is_hidden = all(hidden)
        can_spill = _empty_at(spill, spill_bytes, ordinary or os.getuid())
    drop_bounding_set()
    if ordinary:
        with suppress(OSError):  # root of a container that has no other users stays what it is
            os.setgroups([])
            os.setresgid(ordinary, ordinary, ordinary)
            os.setresuid(ordinary, ordinary, ordinary)
    drop_capabilities()
    return Separation(can_spill, () if is_hidden else _OF_ITSELF)


def _own_namespaces() -> bool:
    """Whether they could be had; mounts made in them then stay in them."""
    try:
        if not _privileged():
            user, group = os.getuid(), os.getgid()
            unshare(CLONE_NEWUSER | _APART)
            _write("setgroups", "deny")
            _write("uid_map", f"{user} {user} 1")
            _write("gid_map", f"{group} {group} 1")
        mount("none", "/", "", MS_REC | MS_PRIVATE, "")
    except OSError:  # switched off on many systems
        return False
    return True


def _privileged() -> bool:
    """As root with all its rights, without a namespace of users: there an ordinary user can be had."""
    if os.getuid() != 0:
        return False
    with suppress(OSError):
        unshare(_APART)
        return True
    return False


def _write(name: str, content: str) -> None:
    with open(f"/proc/self/{name}", "w") as file:
        file.write(content)


def _empty_at(folder: str, size: int, owner: int) -> bool:
    """An empty file system in memory, which nobody outside of the namespace sees."""
    try:
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"size={size},mode=700,uid={owner}")
    except OSError:
        return False
    return True
