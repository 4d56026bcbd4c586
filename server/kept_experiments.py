"""Which silos had experiments when a run began; a resumed run must find the same.

Every request of a run is asked under terms that say whether experiments count, and silos answer some only once: under
other terms what was summed before would not go together with what is summed next.
"""

from collections.abc import Collection
from pathlib import Path

from pydantic import TypeAdapter

from server.errors import ExperimentsChanged
from server.run_store import kept_file, write_json

EXPERIMENTING = "experimenting.json"


def require_same_experiments(directory: Path, experimenting: Collection[str], silos: Collection[str]) -> None:
    """Raise ExperimentsChanged where any of the `silos` now has experiments that it had not when the run began, or the
    other way round. Before anything is asked; a run that did not begin yet has nothing to keep. Raises RunStoreError
    where the note is damaged."""
    path = directory / EXPERIMENTING
    if not path.exists():
        return
    with kept_file(path):
        then = set(TypeAdapter(list[str]).validate_json(path.read_bytes()))
    added, removed = sorted(set(experimenting) - then), sorted(then - set(experimenting))
    if added or removed:
        raise ExperimentsChanged(added, removed, absent=sorted(set(removed) - set(silos)))


def note_experiments(directory: Path, experimenting: Collection[str]) -> None:
    """Once the silos have agreed to the run; what was noted first stays."""
    path = directory / EXPERIMENTING
    if not path.exists():
        write_json(path, sorted(experimenting))
