"""The key holder's Flower client: each message goes to the key holder's own process, its answer comes back.

The key holder serves no silo and has no data. The process that Flower runs, which in a simulation is everybody's,
never loads the private key.
"""

import atexit
from pathlib import Path
from threading import Lock
from typing import Any

from clients.errors import OutOfOrder
from privacy.errors import HolderGone
from privacy.paillier.aggregation import HOLDER, HolderAdvert, OpenedSum, OpenRequest
from privacy.paillier.enclosed_holder import EnclosedHolder, is_enclosed
from privacy.paillier.holder_pipe import Done, Introduce, Introduced, Offer
from privacy.paillier.holder_process import HolderProcess
from privacy.wire import (
    HELLO,
    JOIN,
    OPEN,
    START,
    Acknowledgement,
    HolderIntroduction,
    Invitation,
    KeyRosterMessage,
    from_record,
)

HOLDER_KEY = "key-holder"  # in the node's configuration, in place of `silo`
_lock = Lock()
_running: dict[Path, HolderProcess | EnclosedHolder] = {}


def holder_directory(node_config: dict[str, object]) -> Path | None:
    """The key holder's directory, where this node is one."""
    directory = node_config.get(HOLDER_KEY)
    return Path(directory).resolve() if isinstance(directory, str) and directory else None


def answer_as_holder(directory: Path, message_type: str, content: Any) -> Any:
    """The key holder's message in return. Raises what its process refuses, HolderGone when that ended."""
    process = running_holder(directory)
    try:
        return _ask(process, message_type, content)
    except HolderGone:
        end_holder(directory)  # the next message starts it again; all it must remember is on its disk
        raise


def running_holder(directory: Path) -> HolderProcess | EnclosedHolder:
    """Its process, or its enclave where it lives in one, started at first use; it ends with this process."""
    with _lock:
        if directory not in _running:
            if not _running:
                atexit.register(_end_all)
            kind = EnclosedHolder if is_enclosed(directory) else HolderProcess
            _running[directory] = kind(directory)
        return _running[directory]


def end_holder(directory: Path) -> None:
    """End its process, if one runs."""
    with _lock:
        process = _running.pop(directory, None)
    if process is not None:
        process.close()


def _ask(process: HolderProcess | EnclosedHolder, message_type: str, content: Any) -> Any:
    if message_type == HELLO:
        return HolderIntroduction(process.ask(Introduce(), Introduced).public_key)
    if message_type == JOIN:
        return process.ask(Offer(from_record(content, Invitation).run_id), HolderAdvert)
    if message_type == START:
        process.ask(from_record(content, KeyRosterMessage).roster(), Done)
        return Acknowledgement(HOLDER)
    if message_type == OPEN:
        return process.ask(from_record(content, OpenRequest), OpenedSum)
    raise OutOfOrder("the key holder has no data and adds up nothing", hint="ask the silos")


def _end_all() -> None:
    for directory in list(_running):
        end_holder(directory)
