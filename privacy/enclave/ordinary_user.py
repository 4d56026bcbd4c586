"""A user without a name, files or other processes, for what is started by root."""

from __future__ import annotations

import os
import pwd
import secrets
import stat
from pathlib import Path

# What systemd takes for services without a user of their own: systemd.exec(5), DynamicUser.
FIRST_USER, LAST_USER = 61184, 65519


def free_user() -> int:
    """A user id that nobody has; 0 when this process cannot become somebody else: it is not root, or in a container
    that has no such users."""
    if os.geteuid() != 0 or not _has_users(Path("/proc/self/uid_map").read_text()):
        return 0
    while True:
        user = FIRST_USER + secrets.randbelow(LAST_USER - FIRST_USER + 1)
        try:
            pwd.getpwuid(user)
        except KeyError:
            return user


def is_open_to_all(path: Path) -> bool:
    """Whether any user may reach and read `path`."""
    wanted = stat.S_IXOTH | stat.S_IROTH if path.is_dir() else stat.S_IROTH
    on_the_way = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
    return on_the_way and path.stat().st_mode & wanted == wanted


def _has_users(uid_map: str) -> bool:
    """Whether one line, of the first id inside, the one outside and how many, covers them all."""
    spans = (tuple(map(int, line.split())) for line in uid_map.splitlines())
    return any(first <= FIRST_USER and first + count > LAST_USER for first, _, count in spans)
