"""The run directory: settings, events, metrics, one checkpoint a round; open formats, written so that a crash
at any moment leaves a directory that `--resume` continues."""

import csv
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mmm_models.week_calendar import Calendar
from server.aggregation import ModelState
from server.errors import CheckpointDamaged, RunStoreError
from server.settings import RunSettings

RUN_FILE, EVENTS_FILE, METRICS_FILE, CHECKPOINTS = "run.json", "events.jsonl", "metrics.csv", "checkpoints"
CALENDAR = "calendar.json"
CHECKPOINT_FORMAT = "mixroom-checkpoint/2"
PACKAGES = ("torch", "flwr", "opacus", "numpy", "pandas", "cryptography")
METRIC_COLUMNS = ("round", "loss", "nrmse", "mape", "silos", "seconds", "bytes_per_silo", "clip_norm")


@dataclass(frozen=True)
class RoundMetrics:
    """One line of metrics.csv; NaN where a private run releases nothing."""

    round: int
    loss: float
    nrmse: float
    mape: float
    silos: int
    seconds: float
    bytes_per_silo: int
    clip_norm: float


@dataclass(frozen=True)
class RunStore:
    """Files of one run in `directory`."""

    directory: Path
    run_id: str

    @classmethod
    def create(cls, settings: RunSettings) -> "RunStore":
        """A new run directory, or with `resume` the one that is there. Raises RunStoreError."""
        directory, run_file = settings.directory, settings.directory / RUN_FILE
        if settings.resume:
            return cls(directory, _continued_run_id(run_file, settings))
        if run_file.exists():
            raise RunStoreError(
                f"{directory} already holds a run; nothing was changed",
                hint="choose another --out, or add --resume to continue that run",
            )
        (directory / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        run_id = settings.run_id or secrets.token_hex(8)
        write_json(run_file, _description(settings, run_id))
        return cls(directory, run_id)

    def event(self, kind: str, **facts: Any) -> None:
        """Append one line to events.jsonl."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": kind, **facts}
        with (self.directory / EVENTS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def add_metrics(self, metrics: RoundMetrics) -> None:
        """Append one line to metrics.csv."""
        path = self.directory / METRICS_FILE
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(METRIC_COLUMNS)
            writer.writerow([_cell(getattr(metrics, name)) for name in METRIC_COLUMNS])

    def metrics(self) -> tuple[RoundMetrics, ...]:
        """All rounds so far; a round that was repeated after a resume counts once, by its last line."""
        path = self.directory / METRICS_FILE
        if not path.exists():
            return ()
        with path.open(newline="", encoding="utf-8") as file:
            rows = {int(row["round"]): row for row in csv.DictReader(file)}
        return tuple(_metrics(rows[number]) for number in sorted(rows))

    def save_checkpoint(self, state: ModelState) -> None:
        """Write `checkpoints/round-0001.json` with a digest over its content; older ones stay."""
        content = {name: _plain(value) for name, value in vars(state).items()}
        body = {"format": CHECKPOINT_FORMAT, "run_id": self.run_id, "state": content}
        write_json(self._checkpoint(state.round), {**body, "sha256": _digest(body)})

    def newest_checkpoint(self) -> ModelState | None:
        """The last round that was stored whole. Raises CheckpointDamaged rather than load a changed file."""
        stored = list((self.directory / CHECKPOINTS).glob("round-*.json"))
        newest = max(stored, key=lambda path: (len(path.name), path.name), default=None)
        return load_checkpoint(newest, self.run_id) if newest else None

    def first_calendar(self, found: Calendar | None) -> Calendar | None:
        """The calendar that the run began with, `found` the first time: silos answer about one calendar a run only, and
        a resumed run may sum the marks of other silos."""
        path = self.directory / CALENDAR
        if not path.exists():
            write_json(path, None if found is None else found.model_dump(mode="json"))
            return found
        with kept_file(path):
            kept = json.loads(path.read_text(encoding="utf-8"))
            return None if kept is None else Calendar.model_validate(kept)

    def checkpoint_up_to(self, rounds: int) -> ModelState:
        """The last one stored after at most so many rounds. Raises CheckpointDamaged when there is none."""
        found = next((n for n in range(rounds, 0, -1) if self._checkpoint(n).exists()), rounds)
        return load_checkpoint(self._checkpoint(found), self.run_id)

    def _checkpoint(self, number: int) -> Path:
        return self.directory / CHECKPOINTS / f"round-{number:04d}.json"


def load_checkpoint(path: Path, run_id: str) -> ModelState:
    """Raises CheckpointDamaged unless the file is whole, unchanged and of that run."""
    damaged = CheckpointDamaged(
        f"{path} is damaged or belongs to another run; it was not loaded",
        hint="delete that file to resume from the checkpoint before it",
    )
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        body = {name: stored[name] for name in ("format", "run_id", "state")}
        if (
            stored["sha256"] != _digest(body)
            or body["format"] != CHECKPOINT_FORMAT
            or body["run_id"] != run_id
        ):
            raise damaged
        state: dict[str, Any] = body["state"]
        arrays: dict[str, Any] = {k: np.array(v) if isinstance(v, list) else v for k, v in state.items()}
        return ModelState(**arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged from error


@contextmanager
def kept_file(path: Path) -> Iterator[None]:
    """Read what the run keeps there. Raises RunStoreError where it is not what was written."""
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        raise RunStoreError(
            f"{path} is damaged; the run was not resumed", hint="restore that file, or start a new run"
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".part")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _description(settings: RunSettings, run_id: str) -> dict[str, Any]:
    versions = {name: version(name) for name in PACKAGES}
    return {
        "format": "mixroom-run/1",
        "run_id": run_id,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings.to_run_config(),
        "versions": {"python": sys.version.split()[0], **versions},
    }


def _continued_run_id(run_file: Path, settings: RunSettings) -> str:
    """The stored run's id, if the settings still say the same."""
    try:
        stored = json.loads(run_file.read_text(encoding="utf-8"))
        run_id, settings_then = str(stored["run_id"]), dict(stored["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunStoreError(
            f"{run_file.parent} holds no run to resume", hint="leave --resume out to start one there"
        ) from error
    free = {
        "resume",
        "run-id",
        "out",
        "silos",
        "wait-seconds",
        "timeout-seconds",
        "on-failure",
        "enclave-home",
    }
    now = settings.to_run_config()
    changed = sorted(key for key in now if key not in free and now[key] != settings_then.get(key))
    if changed:
        raise RunStoreError(
            f"{run_file.parent} was started with other settings: {', '.join(changed)}",
            hint="resume with the settings stored in its run.json, or start a new run",
        )
    return run_id


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _cell(value: float) -> float | str:
    return "" if value != value else value


def _metrics(row: dict[str, str]) -> RoundMetrics:
    number = {name: float(row[name] or "nan") for name in METRIC_COLUMNS}
    return RoundMetrics(
        round=int(number["round"]),
        loss=number["loss"],
        nrmse=number["nrmse"],
        mape=number["mape"],
        silos=int(number["silos"]),
        seconds=number["seconds"],
        bytes_per_silo=int(number["bytes_per_silo"]),
        clip_norm=number["clip_norm"],
    )
