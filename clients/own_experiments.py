"""The silo's own experiments: read where its silo file names them, used in its own sums, compared on its own disk."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clients.errors import ExperimentsUnusable, TermsRefused
from mmm_models.errors import ModelError
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_entries import LiftFile, ReleasedLift
from mmm_models.experiments.lift_file import lifts_from, read_lift_file
from mmm_models.experiments.placed_lift import PlacedLift, place
from mmm_models.federated_spec import FederatedModel
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.panel import Panel
from mmm_models.results import ExperimentCheck
from privacy.run_terms import PrivacyTerms

FILE_NAME = "experiments.json"


def require_used(spec: SiloSpec, model: FederatedModel, privacy: PrivacyTerms) -> None:
    """A silo with experiments takes part in runs that use them only: left out in silence, they would seem agreed with.

    Raises TermsRefused, and ExperimentsUnusable for a file that is none; nothing was charged and no data were read.
    """
    if spec.lifts_path is None:
        return
    if model.calibrated and not privacy.private:
        _file(spec.lifts_path)
        return
    if privacy.private:
        raise TermsRefused(
            f"{spec.silo} has experiments, and a run with noise cannot be calibrated with them",
            hint=f"remove `lifts` from the silo file of {spec.silo}, or run without privacy",
        )
    raise TermsRefused(
        f"{spec.silo} has experiments, and this run's strategy does not use them",
        hint=f"run with --strategy newton, or remove `lifts` from the silo file of {spec.silo}",
    )


def read_own_experiments(path: Path | None, panel: Panel) -> tuple[PlacedLift, ...]:
    """Each experiment in the silo's own panel; none without a file.

    Raises ExperimentsUnusable, which names the kind of problem only: its text may leave the silo.
    """
    if path is None:
        return ()
    file = _file(path)
    try:
        return place(lifts_from(file, panel, _released), panel)
    except ModelError as error:
        raise _unusable(error) from error


def save_experiments(checks: tuple[ExperimentCheck, ...], directory: Path) -> Path:
    """Write `experiments.json`: the silo's own experiments beside the model, for its owner's eyes."""
    path = directory / FILE_NAME
    path.write_text(json.dumps([_plain(check) for check in checks], indent=1) + "\n", encoding="utf-8")
    return path


def _file(path: Path) -> LiftFile:
    try:
        return read_lift_file(path)
    except ModelError as error:
        raise _unusable(error) from error


def _unusable(error: ModelError) -> ExperimentsUnusable:
    return ExperimentsUnusable(
        f"the silo's lift file cannot be used ({type(error).__name__}); nothing was sent",
        hint="at the silo, `mixroom fit SILO.toml --lift LIFTS.toml --out DIRECTORY` says what is wrong with it",
    )


def _released(entry: ReleasedLift) -> LiftTest:
    """A client knows no clean room, so it cannot tell a genuine release."""
    raise ExperimentsUnusable(
        "the silo's lift file has a clean-room release, which a client cannot verify; nothing was sent",
        hint="at the silo, `mixroom fit SILO.toml --lift LIFTS.toml --out DIRECTORY` verifies it and says its lift and "
        "standard error: type them in",
    )


def _plain(check: ExperimentCheck) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(check).items()
    }
