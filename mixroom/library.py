"""What `import mixroom` offers: from silo files to results and figures in a few lines.

Each function imports what it needs, so that `import mixroom` is as fast as `mixroom --help`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanroom.partner.room_client import RoomClient
    from mmm_models.intake.panel_report import CheckReport
    from mmm_models.panel_io import LoadedPanel
    from mmm_models.planning.plan import Plan, WhatIf
    from mmm_models.reporting.explained import Explained
    from mmm_models.reporting.figure import Figure
    from mmm_models.results import Results
    from simulations.comparison import Comparison

File = str | PathLike[str]
Setting = str | int | float | bool


def check_silo(file: File) -> CheckReport:
    """Every problem of a silo file and its data; raises nothing for bad input."""
    from mmm_models.panel_io import check_silo as check

    return check(Path(file))


def load_panel(file: File) -> LoadedPanel:
    """The panel a silo file describes, and the notes on how it came to be. Raises ModelError."""
    from mmm_models.panel_io import load_panel as load

    return load(Path(file))


def fit(
    files: Sequence[File],
    out: File,
    *,
    model: str = "neural",
    holdout_weeks: int = 24,
    steps: int = 300,
    lifts: File | None = None,
) -> Results:
    """One model on pooled data, no federation; writes the run directory `out`. Raises ModelError.

    `model` is one of those that `mixroom fit --help` lists; `steps` are those of the neural one. `lifts` is a lift
    file, with experiments that the neural model is calibrated with.
    """
    from mmm_models.spec import ModelSpec, TrainingSpec
    from simulations.pooled_run import PooledSettings, fit_pooled

    paths = tuple(Path(file) for file in files)
    settings = PooledSettings(
        paths,
        Path(out),
        holdout_weeks,
        ModelSpec(),
        TrainingSpec(steps=steps),
        lifts=None if lifts is None else Path(lifts),
        family=model,
    )
    return load_results(fit_pooled(settings, say=_say_nothing))


def train(files: Sequence[File], out: File, **settings: Setting) -> Results:
    """One model across silos; writes the run directory `out` and a line per round to stderr.

    `settings` are those of docs/settings.md with underscores: `privacy="local", epsilon=8, delta=1e-4`.
    Raises ServerError and its siblings, each with a `hint`.
    """
    from server.settings import parse_settings
    from simulations.federation import train_in_process

    parsed = parse_settings({**settings, "out": str(out)})
    return load_results(train_in_process([Path(file) for file in files], parsed))


def compare(
    scenario: str, out: File, *, epsilon: float | Sequence[float] = 8.0, **settings: Any
) -> Comparison:
    """Train one known-truth world in every way, each measured against the truth; writes `out`.

    `settings` are the fields of `ComparisonSettings`: `delta`, `rounds`, `kinds` of noise ("central", "local",
    "distributed"), `repeats` and `models` (names of other families). Raises SimulationError, with a `hint`.
    """
    from simulations.comparison import compare as run
    from simulations.comparison_settings import ComparisonSettings, noise_kinds
    from simulations.scenario import load_scenario

    epsilons = (epsilon,) if isinstance(epsilon, int | float) else tuple(epsilon)
    kinds = noise_kinds(settings.pop("kinds", ("local", "distributed")))
    chosen = ComparisonSettings(epsilons, kinds=kinds, **settings)
    return run(load_scenario(scenario), Path(out), chosen, say=_say_nothing)


def load_results(run: File) -> Results:
    """The results in a run directory. Raises ModelError."""
    from mmm_models.reporting.result_files import read_results

    return read_results(Path(run))


def contributions_figure(run: File) -> Figure:
    """What each channel of a run contributed: a picture (`svg`), the table behind it, one sentence of insight."""
    from mmm_models.reporting.figures import contributions_figure as draw
    from mmm_models.reporting.report_files import read_report_input

    return draw(read_report_input(Path(run)))


def explain(
    run: File, *, weeks: int | None = None, silo: File | None = None, plan: File | None = None
) -> Explained:
    """What each channel of a run does: numbers (`told`), `sentences("tv")`, `checks`, and `figures` with their tables.

    Arguments are those of `mixroom explain --help`. Raises PlanningError, with a `hint`.
    """
    from mmm_models.reporting.explained import explained

    own, planned = (None if path is None else Path(path) for path in (silo, plan))
    return explained(Path(run), weeks=weeks, silo=own, plan=planned)


def plan(
    run: File,
    *,
    total: float | str | None = None,
    target: str | None = None,
    limits: Mapping[str, Any] | None = None,
    risk: float | None = None,
    flight: bool = False,
    weeks: int | None = None,
    by: str = "all",
    silo: File | None = None,
) -> Plan:
    """The best split of next period's money; last period's total where neither `total` nor `target` is given.

    Arguments are those of `mixroom plan --help`: `total="+10%"`, `target="roi=3"`, `risk=0.1`; `limits` is what a
    file of bounds holds, `{"channels": {"tv": {"floor": 100_000}}}`. Raises PlanningError, with a `hint`.
    """
    from mmm_models.planning.goal_text import goal_of
    from mmm_models.planning.limits import limits_from
    from mmm_models.planning.open_planner import open_planner

    within = limits_from(limits or {})
    planner = open_planner(Path(run), weeks=weeks, by=by, silo=None if silo is None else Path(silo))
    return planner.plan(goal_of(planner, total, target), limits=within, risk=risk, flight=flight)


def what_if(
    run: File,
    changes: Mapping[str, str | float] | Sequence[str],
    *,
    weeks: int | None = None,
    by: str = "all",
    silo: File | None = None,
) -> WhatIf:
    """What changed media would have brought in the last period: `{"social": "+20%", "tv": 250_000}`.

    Raises PlanningError, with a `hint`.
    """
    from mmm_models.planning.changes import changes_of
    from mmm_models.planning.open_planner import open_planner

    planner = open_planner(Path(run), weeks=weeks, by=by, silo=None if silo is None else Path(silo))
    return planner.what_if(changes_of(changes))


def room_client(home: File) -> RoomClient:
    """A party's client of its clean room, `with room_client("room/acme") as room: ...`. Raises RoomError."""
    from cleanroom.partner.party_home import PartyHome
    from cleanroom.partner.room_client import RoomClient

    return RoomClient(PartyHome(Path(home)))


def _say_nothing(text: str) -> None:
    """Functions are quiet; commands narrate."""
