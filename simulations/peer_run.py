"""A run of another family than the neural MMM, stored like any other; what it chose stands in `run.json`."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.panel import Panel
from mmm_models.peers.peer_results import FittedPeer
from mmm_models.peers.registry import FAMILIES, family
from mmm_models.reporting.report_files import About, write_about, write_report
from mmm_models.reporting.result_files import write_results
from server.run_store import write_json


def fit_and_store_peer(panel: Panel, record: dict[str, Any], *, out: Path) -> None:
    """Fit the family that `record`, the run's `run.json` to be, names in its settings, and write the run into `out`.

    Its settings and choices take the place of the neural MMM's, and there is no `model.json`. What the panel
    cannot tell any model is found as well. Raises ModelError.
    """
    settings = record["settings"]
    name, weeks = settings["family"], settings["holdout-weeks"]
    chosen = family(name)
    fitted = chosen.fit(panel, holdout_weeks=weeks)
    found = diagnose(panel, holdout_weeks=weeks)
    kept = {key: value for key, value in settings.items() if key not in ("model", "training")}
    choices = dict(fitted.choices) if isinstance(fitted, FittedPeer) else {}
    versions = {
        **record["versions"],
        **{package: version(package) for package in ("scikit-learn", "scipy", "shap")},
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(
        out / "run.json",
        {
            **record,
            "settings": {**kept, "model": plain_settings(chosen)},
            "choices": choices,
            "versions": versions,
        },
    )
    about = About(
        f"Marketing mix of pooled data: {name}",
        f"{panel.n_units} units, {panel.n_weeks} weeks",
        (("model", FAMILIES[name].summary), ("held-out weeks", str(weeks))),
    )
    write_about(about, out)
    write_results(replace(fitted.results, findings=(*fitted.results.findings, *found)), out)
    write_report(out)


def plain_settings(chosen: object) -> dict[str, Any]:
    """A family's settings in plain JSON; empty for one without any."""
    if not is_dataclass(chosen) or isinstance(chosen, type):
        return {}
    return {key: _plain(value) for key, value in asdict(chosen).items()}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
