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
    PR_SET_DUMPABLE,
    drop_bounding_set,
    drop_capabilities,
    mount,
    prctl,
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
    """Own namespaces, nothing in /proc and its like, and a sized file system in memory at `spill`, each where the
    kernel gives it. For certain: no capabilities, and the user `ordinary` if one is given.

    Root without `ordinary`, as it is given none whose users cannot reach the code, stays root by name: without
    capabilities, it still owns root's files, and Landlock alone keeps it from them.
    Raises OSError when it cannot become that user.
    """
    is_hidden = can_spill = False
    privileged = _privileged()
    if ordinary and not privileged:  # before a namespace of users, which has one user only
        _become(ordinary)
    if _own_namespaces(privileged=privileged):
        hidden = [_empty_at(folder, 4096, os.getuid()) for folder in _HIDDEN if os.path.isdir(folder)]
        is_hidden = all(hidden)
        can_spill = _empty_at(spill, spill_bytes, ordinary or os.getuid())
    if ordinary and privileged:
        _become(ordinary)
    drop_bounding_set()
    drop_capabilities()
    return Separation(can_spill, () if is_hidden else _OF_ITSELF)


def _become(user: int) -> None:
    drop_bounding_set()
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    prctl(PR_SET_DUMPABLE, 1)  # until the lockdown: else its own files in /proc are root's


def _own_namespaces(*, privileged: bool) -> bool:
    """Whether they could be had; mounts made in them then stay in them."""
    try:
        if not privileged:
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
    """As root with all its rights, without a namespace of users: there an ordinary user can be had afterwards."""
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
