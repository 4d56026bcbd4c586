"""A plan basis as one JSON file of a run directory, with a digest over its content."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.planning.plan_basis import Array, Part, PlanBasis
from mmm_models.planning.planning_errors import PlanningError

FILE_NAME, FORMAT = "planning.json", "mixroom-planning/1"
KINDS = ("paid", "organic")


class PlanningDataMissing(PlanningError):
    """A run directory holds nothing to plan from: it is of another model family, or of an older version."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} does not exist; there is nothing to plan from",
            hint="fit or train again: every run of the neural family writes it",
        )


class PlanningDataDamaged(PlanningError):
    """What a run stored for planning is changed or of another version; it was not loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged or of another version; it was not loaded",
            hint="fit or train again, or copy the file again from where the run was made",
        )


def save_basis(basis: PlanBasis, directory: Path) -> Path:
    """Write `planning.json`, whole or not at all."""
    body = {"format": FORMAT, "basis": _plain(basis)}
    path = directory / FILE_NAME
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({**body, "sha256": _digest(body)}) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def load_basis(directory: Path) -> PlanBasis:
    """Raises PlanningDataMissing without the file, PlanningDataDamaged unless it is whole, unchanged and of this
    version."""
    path = directory / FILE_NAME
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digest = stored.pop("sha256")
        if digest != _digest(stored) or stored["format"] != FORMAT:
            raise PlanningDataDamaged(path)
        return _basis(stored["basis"])
    except FileNotFoundError as error:
        raise PlanningDataMissing(path) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanningDataDamaged(path) from error


def _plain(basis: PlanBasis) -> dict[str, Any]:
    parts = [
        {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(part).items()
        }
        for part in basis.parts
    ]
    return {
        "channels": list(basis.channels),
        "kinds": list(basis.kinds),
        "currency": basis.currency,
        "outcome_unit": basis.outcome_unit,
        "first_week": str(basis.weeks[0].astype("datetime64[D]")),
        "weeks": basis.n_weeks,
        "by_week": basis.by_week,
        "noise": basis.noise.tolist(),
        "multipliers": list(MULTIPLIERS),
        "parts": parts,
    }


def _basis(plain: dict[str, Any]) -> PlanBasis:
    """Raises ValueError, KeyError or TypeError for what does not fit together."""
    channels, kinds, weeks = tuple(map(str, plain["channels"])), tuple(plain["kinds"]), int(plain["weeks"])
    if len(kinds) != len(channels) or not set(kinds) <= set(KINDS) or weeks < 1 or not plain["parts"]:
        raise ValueError("channels, kinds, weeks and parts do not fit together")
    if tuple(plain["multipliers"]) != MULTIPLIERS:
        raise ValueError("curves are at other multipliers")
    first = np.datetime64(plain["first_week"], "D")
    return PlanBasis(
        channels=channels,
        kinds=kinds,
        currency=str(plain["currency"]),
        outcome_unit=str(plain["outcome_unit"]),
        weeks=first + 7 * np.arange(weeks).astype("timedelta64[D]"),
        parts=tuple(_part(part, weeks, len(channels)) for part in plain["parts"]),
        by_week=bool(plain["by_week"]),
        noise=_array(plain["noise"], (len(channels),)),
    )


def _part(plain: dict[str, Any], weeks: int, channels: int) -> Part:
    single, each = (weeks,), (weeks, channels)
    return Part(
        name=str(plain["name"]),
        outcome=_array(plain["outcome"], single),
        level=_array(plain["level"], single),
        spend=_array(plain["spend"], each),
        intensity=_array(plain["intensity"], each),
        contribution=_array(plain["contribution"], each),
        curves=_array(plain["curves"], (channels, len(MULTIPLIERS))),
        revenue_per_outcome=float(plain["revenue_per_outcome"]),
    )


def _array(plain: list[Any], shape: tuple[int, ...]) -> Array:
    array = np.array(plain, dtype=np.float64)
    if array.size == 0:
        array = array.reshape(shape)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError("an array does not have its shape, or holds numbers that are not finite")
    return array


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
