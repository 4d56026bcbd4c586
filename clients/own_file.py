"""The silo's own file, parsed once until it changes: a round would otherwise parse it twice per silo."""

from functools import lru_cache
from pathlib import Path

from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec

CACHED_FILES = 64  # a simulation serves many silos from one process; a real silo serves itself


def read_own_file(path: Path) -> SiloSpec:
    """Raises SpecInvalid or SourceUnreadable, as `read_silo_spec` does."""
    try:
        found = path.stat()
    except OSError:
        return read_silo_spec(path)
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=CACHED_FILES)
def _read(path: Path, changed: int, size: int) -> SiloSpec:
    return read_silo_spec(path)
