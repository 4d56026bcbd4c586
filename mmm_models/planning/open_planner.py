"""A planner for whoever asks: of everything together, of each silo that the run knows apart, or of own rows."""

from enum import StrEnum
from pathlib import Path

from mmm_models.planning.planner import Planner
from mmm_models.planning.planning_errors import PlanningError


class By(StrEnum):
    """What money is moved between, besides channels."""

    NOTHING = "all"
    SILO = "silo"
    UNIT = "unit"


class RunMissing(PlanningError):
    """There is no such run directory."""

    def __init__(self, run: Path) -> None:
        super().__init__(
            f"there is no run directory {run}",
            hint="name the directory that `mixroom fit` or `mixroom train` wrote with --out",
        )


class SilosNotApart(PlanningError):
    """A run was asked to plan silo by silo, and knows only what all silos did together; nothing was planned."""

    def __init__(self, run: object) -> None:
        super().__init__(
            f"{run} knows only sums over all its rows, no silo apart; nothing was planned",
            hint="plan for everything together, or let each silo plan on its own machine: "
            "mixroom plan RUN --silo FILE",
        )


class UnitsNotKnown(PlanningError):
    """A run was asked to plan unit by unit, and holds no unit's rows; nothing was planned."""

    def __init__(self, run: object) -> None:
        super().__init__(
            f"{run} holds no unit's rows, so money cannot be moved between units; nothing was planned",
            hint="name the silo file whose units these are: --by unit --silo FILE",
        )


def open_planner(
    run: Path, *, weeks: int | None = None, by: str = By.NOTHING, silo: Path | None = None
) -> Planner:
    """Of a run directory; with `silo`, the run's response applied to that silo file's own rows, which stay here.

    Raises RunMissing, StoredModelDamaged, PlanningDataMissing, PlanningDataDamaged, SilosNotApart, UnitsNotKnown, and
    the errors of the silo file.
    """
    if not run.is_dir():
        raise RunMissing(run)
    if silo is not None:
        return _of_silo(run, silo, By(by), weeks)
    if By(by) is By.UNIT:
        raise UnitsNotKnown(run)
    planner = Planner.of_run(run, weeks=weeks, by_part=By(by) is By.SILO)
    if By(by) is By.SILO and len(planner.basis.parts) == 1:
        raise SilosNotApart(run)
    return planner


def _of_silo(run: Path, silo: Path, by: By, weeks: int | None) -> Planner:
    from mmm_models.panel_io import load_panel  # brings pandas, which a stored run does not need
    from mmm_models.planning.basis_of_panel import basis_of_panel
    from mmm_models.stored_model import load_model

    model = load_model(run)
    return Planner(model, basis_of_panel(load_panel(silo).panel, model, parts=by.value, own=True), weeks)
