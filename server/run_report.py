"""What a run states about privacy, and its report, from the files in the run directory."""

from pathlib import Path

from server.rounds import Finished
from server.run_store import RunStore
from server.settings import RunSettings


def write_run_report(finished: Finished, settings: RunSettings, store: RunStore, *, seconds: float) -> Path:
    return store.directory
