"""A program that does what its first message says, with what an enclave gives it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from privacy.enclave.inside import InsideEnclave
from tests.privacy.enclave.sandbox.programs.outcomes import outcome


def serve(enclave: InsideEnclave) -> None:
    """One conversation."""
    while True:
        message, files = enclave.receive()
        asked = json.loads(message)
        match asked["do"]:
            case "echo":
                enclave.send(message)
            case "read":
                texts = [os.read(file, 1000).decode() for file in files]
                enclave.send(json.dumps(texts).encode())
            case "key":
                enclave.send(enclave.public_key)
            case "attest":
                nonce = bytes.fromhex(asked["nonce"])
                documents = [enclave.attest(nonce, b"what is said") for _ in range(asked.get("times", 1))]
                enclave.send(documents[-1])
            case "spill":
                folder = enclave.spill_folder
                enclave.send(json.dumps(None if folder is None else str(folder)).encode())
            case "write":
                enclave.send(outcome(Path(asked["path"]).touch).encode())
            case "unseal":
                enclave.send(enclave.unseal(bytes.fromhex(asked["sealed"]), {"purpose": "test"}))
            case "wait":
                continue


if __name__ == "__main__":
    serve(InsideEnclave.enter())
