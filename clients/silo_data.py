"""The silo's panel, read once per process and fitted to the run's channels."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clients.own_experiments import read_own_experiments
from clients.own_file import read_own_file
from mmm_models.experiments.placed_lift import PlacedLift
from mmm_models.federated_spec import FederatedModel
from mmm_models.panel import Panel
from mmm_models.panel_io import load_panel
from mmm_models.scaling import Scales
from mmm_models.unit_data import UnitData, prepare, split_weeks, unit_level

CACHED_SILOS = 64  # a simulation serves many silos from one process; a real silo serves itself


@dataclass(frozen=True, eq=False)
class SiloData:
    """A panel with the run's channels in the run's order."""

    panel: Panel
    train: NDArray[np.bool_]  # [unit, week] training weeks
    level: NDArray[np.float64]  # [unit] mean outcome in them
    lifts: tuple[PlacedLift, ...] = ()  # the silo's experiments, where the run uses them

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the whole panel; it says whether a repeated sum is about the same data. Keep it local."""
        values = (getattr(self.panel, field.name) for field in fields(self.panel))
        parts = (v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in values)
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()

    def prepared(self, scales: Scales, model: FederatedModel) -> UnitData:
        """Unit records under these scales."""
        return _prepared(self, scales.to_vector().tobytes(), model)


def read_silo_data(spec_path: Path, model: FederatedModel) -> SiloData:
    """Raises PanelInvalid (whose text names codes and columns only), SourceUnreadable and ExperimentsUnusable."""
    spec = read_own_file(spec_path)
    lifts = spec.lifts_path if model.calibrated else None
    files = (spec_path, spec.data_path, *([lifts] if lifts else []))
    return _read(spec_path, tuple(_version(path) for path in files), model, lifts)


def _version(path: Path) -> tuple[int, int]:
    """Changes when the file does; a database has none and is read once per process."""
    if not path.is_file():
        return 0, 0
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=CACHED_SILOS)
def _read(
    spec_path: Path, versions: tuple[tuple[int, int], ...], model: FederatedModel, lifts: Path | None
) -> SiloData:
    panel = load_panel(spec_path).panel.with_channels(model.panel_channels)
    train, _ = split_weeks(panel, model.model, model.holdout_weeks)
    return SiloData(panel, train, unit_level(panel, train), read_own_experiments(lifts, panel))


@lru_cache(maxsize=CACHED_SILOS)
def _prepared(data: SiloData, scale_bytes: bytes, model: FederatedModel) -> UnitData:
    scales = Scales.from_vector(np.frombuffer(scale_bytes, dtype=np.float64), model.media_per)
    return prepare(data.panel, scales, model.model, holdout_weeks=model.holdout_weeks)
