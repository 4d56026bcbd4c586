"""Sums of a run that may be asked for only once: noted before asking, kept before use."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privacy.quantization import FixedPoint
from privacy.wire import SumRequest
from server.errors import CheckpointDamaged
from server.run_store import write_json
from server.silo_exchange import SiloSum


@dataclass(frozen=True)
class SumStore:
    """One file a sum in `directory`: the request's digest, then the opened sum beside it, under a digest of its own."""

    directory: Path

    def was_asked(self, request: SumRequest) -> bool:
        """Whether an earlier start of this run asked for it; silos would refuse it now."""
        return self._path(request).exists()

    def note_asked(self, request: SumRequest) -> None:
        """Before asking."""
        self.directory.mkdir(parents=True, exist_ok=True)
        write_json(self._path(request), {"request": request.model_digest.hex()})

    def save(self, request: SumRequest, answer: SiloSum) -> None:
        """Before using."""
        kept = {
            "request": request.model_digest.hex(),
            "integers": base64.b64encode(answer.integers.astype("<u8").tobytes()).decode(),
            "silos": list(answer.silos),
            "bytes_sent": answer.bytes_sent,
            "seconds": answer.seconds,
        }
        write_json(self._path(request), {**kept, "sha256": _digest(kept)})

    def load(self, request: SumRequest) -> SiloSum | None:
        """The kept answer, if there is one. Raises CheckpointDamaged when it belongs to another question."""
        if not self.was_asked(request):
            return None
        path = self._path(request)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["request"] != request.model_digest.hex():
                raise ValueError("another question")
            if "integers" not in kept:
                return None
            if kept.pop("sha256", "") != _digest(kept):
                raise ValueError("changed")
            return SiloSum(
                integers=np.frombuffer(base64.b64decode(kept["integers"]), dtype="<u8").astype(np.uint64),
                scale=FixedPoint(request.fraction_bits, request.max_abs),
                silos=tuple(kept["silos"]),
                failures=(),
                bytes_sent=int(kept["bytes_sent"]),
                seconds=float(kept["seconds"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointDamaged(
                f"{path} is damaged or answers another question; it was not used",
                hint="restore the run directory from a copy; silos do not answer this sum again",
            ) from error

    def _path(self, request: SumRequest) -> Path:
        return self.directory / f"sum-{request.round:04d}.json"


def _digest(kept: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
