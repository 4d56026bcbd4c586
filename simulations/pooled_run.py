"""`fit`: one model on the pooled data of several silo files, stored like any other run."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmm_models.features.holiday_control import with_public_holidays
from mmm_models.fitted_model import stored_model_of
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.neural_mmm import FittedNeuralMmm, NeuralMmm
from mmm_models.panel import Panel, pool
from mmm_models.panel_io import load_panel
from mmm_models.peers.registry import NEURAL, require_family
from mmm_models.planning.basis_of_panel import PartsOf, basis_of_panel
from mmm_models.planning.stored_basis import save_basis
from mmm_models.reporting.report_files import About, write_about, write_report
from mmm_models.reporting.result_files import write_results
from mmm_models.spec import ModelSpec, TrainingSpec
from server.run_store import write_json
from simulations.errors import CannotCalibrate, OutputNotEmpty
from simulations.lift_files import read_lifts
from simulations.peer_run import fit_and_store_peer


@dataclass(frozen=True)
class PooledSettings:
    """What to fit, where to, and how; `model` and `training` are those of the neural MMM."""

    specs: Sequence[Path]
    out: Path
    holdout_weeks: int
    model: ModelSpec
    training: TrainingSpec
    lifts: Path | None = None  # a lift file: experiments the model is calibrated with
    family: str = NEURAL  # a name of `mmm_models.peers.registry.FAMILIES`
    holidays: str = ""  # country whose public holidays are a control more


def fit_pooled(settings: PooledSettings, *, say: Callable[[str], None]) -> Path:
    """Read all silos, fit, write the run directory. Raises PanelInvalid with every problem of the first bad file."""
    require_family(settings.family)
    if settings.lifts is not None and settings.family != NEURAL:
        raise CannotCalibrate(settings.family)
    if (settings.out / "results.json").exists():
        raise OutputNotEmpty(settings.out)
    panels = [load_panel(spec).panel for spec in settings.specs]
    panel = pool(panels) if len(panels) > 1 else panels[0]
    if settings.holidays:
        panel = with_public_holidays(panel, settings.holidays)
    lifts = read_lifts(settings.lifts, panel)
    for spec in settings.specs if settings.lifts is None else ():
        if read_silo_spec(spec).lifts:
            say(f"{spec} names experiments, which federated runs use; here name them with --lift")
    for lift in lifts:
        say(f"experiment {lift.name}: lift {lift.lift:,.0f}, standard error {lift.standard_error:,.0f}")
    say(f"fitting {panel.n_units} units, {panel.n_weeks} weeks, {panel.n_channels} channels")
    if settings.family != NEURAL:
        fit_and_store_peer(panel, _record(settings), out=settings.out)
        return settings.out
    family = NeuralMmm(settings.model, settings.training, lifts)
    fitted = family.fit(panel, holdout_weeks=settings.holdout_weeks)
    settings.out.mkdir(parents=True, exist_ok=True)
    _store(fitted, panel, settings)
    return settings.out


def _store(fitted: FittedNeuralMmm, panel: Panel, settings: PooledSettings) -> None:
    out = settings.out
    model = stored_model_of(fitted, panel, holdout_weeks=settings.holdout_weeks)
    model.save(out)
    parts = PartsOf.SILO if len(settings.specs) > 1 else PartsOf.ALL
    save_basis(basis_of_panel(panel, model, parts, own=parts is PartsOf.SILO), out)
    write_json(out / "run.json", _record(settings))
    pairs = (
        ("training steps", str(settings.training.steps)),
        ("held-out weeks", str(settings.holdout_weeks)),
    )
    write_about(
        About("Marketing mix of pooled data", f"{panel.n_units} units, {panel.n_weeks} weeks", pairs), out
    )
    write_results(fitted.results, out)
    write_report(out)


def _record(settings: PooledSettings) -> dict[str, Any]:
    """What `run.json` says: everything that makes the run repeatable."""
    packages = {name: version(name) for name in ("torch", "numpy", "pandas")}
    return {
        "format": "mixroom-run/1",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "specs": [str(spec) for spec in settings.specs],
            "holdout-weeks": settings.holdout_weeks,
            "family": settings.family,
            "holidays": settings.holidays,
            "lifts": None if settings.lifts is None else str(settings.lifts),
            "model": settings.model.model_dump(mode="json"),
            "training": settings.training.model_dump(mode="json"),
        },
        "versions": {"python": sys.version.split()[0], **packages},
    }
