"""`fit`: one model on the pooled data of several silo files, stored like any other run."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from mmm_models.federated_spec import ChannelDeclaration, FederatedModel
from mmm_models.neural_mmm import FittedNeuralMmm, NeuralMmm
from mmm_models.panel import Panel, pool
from mmm_models.panel_io import load_panel
from mmm_models.reporting.report_files import About, write_about, write_report
from mmm_models.reporting.result_files import write_results
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector
from server.run_store import write_json
from simulations.errors import OutputNotEmpty


@dataclass(frozen=True)
class PooledSettings:
    """What to fit, where to, and how."""

    specs: Sequence[Path]
    out: Path
    holdout_weeks: int
    model: ModelSpec
    training: TrainingSpec


def fit_pooled(settings: PooledSettings, *, say: Callable[[str], None]) -> Path:
    """Read all silos, fit, write the run directory. Raises PanelInvalid with every problem of the first bad file."""
    if (settings.out / "results.json").exists():
        raise OutputNotEmpty(settings.out)
    panels = [load_panel(spec).panel for spec in settings.specs]
    panel = pool(panels) if len(panels) > 1 else panels[0]
    say(f"fitting {panel.n_units} units, {panel.n_weeks} weeks, {panel.n_channels} channels")
    fitted = NeuralMmm(settings.model, settings.training).fit(panel, holdout_weeks=settings.holdout_weeks)
    settings.out.mkdir(parents=True, exist_ok=True)
    _store(fitted, panel, settings)
    return settings.out


def _store(fitted: FittedNeuralMmm, panel: Panel, settings: PooledSettings) -> None:
    out = settings.out
    description = FederatedModel(
        channels=tuple(
            ChannelDeclaration(name=c.name, kind=c.kind, exposure_unit=c.exposure_unit)
            for c in panel.channels
        ),
        media_per=fitted.scales.per,
        weeks=panel.n_weeks,
        holdout_weeks=settings.holdout_weeks,
        model=settings.model,
        currency=panel.currency,
        outcome_unit=panel.outcome_unit,
    )
    StoredModel(description, fitted.scales, get_vector(fitted.trained.response)).save(out)
    packages = {name: version(name) for name in ("torch", "numpy", "pandas")}
    write_json(
        out / "run.json",
        {
            "format": "mixroom-run/1",
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {
                "specs": [str(spec) for spec in settings.specs],
                "holdout-weeks": settings.holdout_weeks,
                "model": settings.model.model_dump(mode="json"),
                "training": settings.training.model_dump(mode="json"),
            },
            "versions": {"python": sys.version.split()[0], **packages},
        },
    )
    pairs = (
        ("training steps", str(settings.training.steps)),
        ("held-out weeks", str(settings.holdout_weeks)),
    )
    write_about(
        About("Marketing mix of pooled data", f"{panel.n_units} units, {panel.n_weeks} weeks", pairs), out
    )
    write_results(fitted.results, out)
    write_report(out)
