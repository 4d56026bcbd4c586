"""Where the demo writes: a directory of its own, replaced on every run, and never anybody else's files."""

import shutil
from pathlib import Path

from simulations.errors import SimulationError

MARKER = ".mixroom-demo"


def fresh_directory(directory: Path) -> Path:
    """An empty directory for a demo; an earlier demo there is replaced, anything else is left alone."""
    marker = directory / MARKER
    if directory.exists() and any(directory.iterdir()):
        if not marker.exists():
            raise SimulationError(
                f"{directory} holds files that no demo wrote; nothing was changed",
                hint="choose another --out",
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return directory
