"""A program taken over: the first message names an attack and what it is aimed at, the answer says what came of it.

It is locked down like every program, and then does its worst.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from privacy.enclave.inside import InsideEnclave
from tests.privacy.enclave.sandbox.programs import (
    attacks_on_files,
    attacks_on_memory,
    attacks_on_network,
    attacks_on_others,
    attacks_on_the_host,
)

Attack = Callable[..., Any]
ATTACKS: dict[str, Attack] = {
    name: attack
    for module in (
        attacks_on_files,
        attacks_on_memory,
        attacks_on_network,
        attacks_on_others,
        attacks_on_the_host,
    )
    for name, attack in vars(module).items()
    if callable(attack) and getattr(attack, "__module__", "") == module.__name__ and not name.startswith("_")
}

if __name__ == "__main__":
    enclave = InsideEnclave.enter()
    message, files = enclave.receive()
    asked = json.loads(message)
    if files:
        asked["files"] = files
    enclave.send(json.dumps(ATTACKS[asked.pop("attack")](**asked)).encode())
    enclave.receive()
