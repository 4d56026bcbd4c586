"""What came of an attempt, as a word: the name of the error, or that it worked."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

WORKED = "worked"


def outcome(attempt: Callable[[], Any]) -> str:
    """`WORKED`, the name of the system's error ("EPERM"), or the class of another one."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return WORKED
