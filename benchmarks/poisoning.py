"""What one poisoning silo of eight does to the shared model, and what each defence leaves of it: default world.

Attack by defence. Damage is that of the model, evaluated exactly on what truly happened and compared with the
honest, undefended run: how far shares moved and how much farther from the truth they are, in percentage points,
and the change of total media. "nobody lies" is the price of a defence.
A run that stops attributes nothing: its shares count as zero.
"""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.known_worlds import TOY_ROUNDS, KnownWorld, known_world, seeds
from benchmarks.line import Line, Setting
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.stored_model import load_model
from server.errors import ServerError
from server.settings import RunSettings
from simulations.exact_shares import exact_shares
from simulations.federation import train_in_process
from simulations.poisoned_data import DataLie, poison_data
from simulations.poisoning import Damage, LyingSilo, PoisonedClient, UpdateLie

CROWD = 20
ROUNDS = 60  # by then attacks have done their work; eighty runs are a lot
UNBOUNDED = {"update-norm-bound": 0.0}
# All sums in clear: masks change no number, and robust rules need it. Bounds are kept by the silos either way.
DEFENCES: dict[str, dict[str, Any]] = {
    "none": UNBOUNDED,
    "bound 20": {"update-norm-bound": 20.0},
    "bound 8": {"update-norm-bound": 8.0},
    "bound 20, 100 units": {"update-norm-bound": 20.0, "max-units-per-silo": 100},
    "median": {**UNBOUNDED, "robust-rule": "median"},
    "trimmed mean": {**UNBOUNDED, "robust-rule": "trimmed-mean"},
    "multi-krum": {**UNBOUNDED, "robust-rule": "multi-krum"},
    "bulyan": {**UNBOUNDED, "robust-rule": "bulyan"},
}
TOY_DEFENCES = ("none", "bound 20", "median")


@dataclass(frozen=True)
class Attack:
    """One silo lies in its table, in its training, or not at all."""

    name: str
    data: DataLie | None = None
    copies: int = 1
    update: UpdateLie | None = None


ATTACKS = (
    Attack("nobody lies"),
    *(Attack(lie.value, data=lie) for lie in DataLie),
    Attack(f"{DataLie.INVENTED}, units {CROWD} times", data=DataLie.INVENTED, copies=CROWD),
    *(Attack(lie.value, update=lie) for lie in UpdateLie),
)
TOY_ATTACKS = ("nobody lies", DataLie.MIRRORED.value, UpdateLie.FLIPPED.value)


def measure(setting: Setting) -> tuple[Line, ...]:
    """Three lines for each attack and defence; the first seed of the accuracy bars."""
    known = known_world(setting, seeds(setting)[0])
    truth = np.array([row.share for row in known.truth])
    attacks = [item for item in ATTACKS if not setting.quick or item.name in TOY_ATTACKS]
    defences = [name for name in DEFENCES if not setting.quick or name in TOY_DEFENCES]
    found = {
        (attack.name, name): _shares(setting, known, attack, DEFENCES[name])
        for attack in attacks
        for name in defences
    }
    honest = found["nobody lies", "none"]
    lines: list[Line] = []
    for (attack_name, defence), shares in found.items():
        damage = Damage.between(honest, shares, truth)
        what = f"{attack_name} / {defence}"
        lines.append(Line(f"{what}: shares moved", damage.moved_points, "points"))
        lines.append(Line(f"{what}: share error above honest", damage.share_error_points, "points"))
        lines.append(Line(f"{what}: total media", 100.0 * damage.media, "%"))
    return tuple(lines)


def _shares(
    setting: Setting, known: KnownWorld, attack: Attack, defence: dict[str, Any]
) -> np.ndarray[Any, Any]:
    """The poisoned model's shares on the true world; zeros when the run stopped."""
    scenario = known.world.scenario
    with _poisoned_world(setting, known, attack) as specs:
        run = RunSettings.model_validate(
            {
                "out": str(specs[0].parent / "run"),
                "holdout-weeks": scenario.holdout_weeks,
                "weeks": scenario.weeks,
                "secure-aggregation": "none",
                "strategy": "fedadam",
                "rounds": TOY_ROUNDS if setting.quick else ROUNDS,
                **defence,
            }
        )
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                directory = train_in_process(specs, run, client=_client(specs[0], attack))
        except ServerError:
            return np.zeros(len(known.truth))
        return exact_shares(load_model(directory), known.world)


def _client(liar: Path, attack: Attack) -> Callable[[Any], Any] | None:
    lie = attack.update
    return None if lie is None else lambda honest: PoisonedClient(honest, LyingSilo(liar, lie))


@contextlib.contextmanager
def _poisoned_world(setting: Setting, known: KnownWorld, attack: Attack) -> Iterator[tuple[Path, ...]]:
    """A copy of the silos' files, in which the first one lies."""
    directory = setting.scratch / "poisoned"
    directory.mkdir()
    try:
        for spec in known.specs:
            shutil.copyfile(spec, directory / spec.name)
            shutil.copyfile(read_silo_spec(spec).data_path, directory / spec.with_suffix(".csv").name)
        specs = tuple(directory / spec.name for spec in known.specs)
        if attack.data is not None:
            poison_data(specs[0], attack.data, copies=attack.copies)
        yield specs
    finally:
        shutil.rmtree(directory)
