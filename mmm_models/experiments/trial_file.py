"""A table of a randomised trial (CSV or Parquet) to numbers, every problem of it named at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.experiments.lift_errors import TrialInvalid
from mmm_models.experiments.trial import Trial
from mmm_models.intake.nearest_name import nearest_name

MOST_LEVELS = 20
_TREATED = frozenset({"1", "true", "yes", "treatment", "treated", "test", "exposed"})
_CONTROL = frozenset({"0", "false", "no", "control", "holdout", "untreated"})


@dataclass(frozen=True)
class TrialColumns:
    """Which column is what; `segment` "" for none."""

    treatment: str
    outcome: str
    covariates: tuple[str, ...] = ()
    segment: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Every column named."""
        return (self.treatment, self.outcome, *self.covariates, *([self.segment] if self.segment else []))


def read_trial(path: Path, columns: TrialColumns) -> Trial:
    """The trial in a file whose rows are people. Raises `TrialInvalid` listing every problem."""
    frame = _read(path)
    _require_columns(frame, columns)
    problems: list[str] = []
    treated = _treated(frame[columns.treatment], problems)
    outcome = _numbers(frame[columns.outcome], problems)
    parts = [_covariate(frame[name], problems) for name in columns.covariates]
    segment = _segment(frame, columns.segment, problems)
    if problems:
        raise TrialInvalid(
            f"{path}: {len(problems)} problem{'s' * (len(problems) > 1)}: {'; '.join(problems)}",
            hint="repair the columns, or leave out rows and covariates that cannot be used",
            problems=tuple(problems),
        )
    named = [column for part in parts for column in part.items() if np.ptp(column[1]) > 0]
    return Trial(
        treated,
        outcome,
        np.column_stack([values for _, values in named]) if named else np.zeros((len(frame), 0)),
        tuple(name for name, _ in named),
        segment,
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError as error:
        raise TrialInvalid(f"{path} does not exist", hint="check the path") from error
    except (ValueError, OSError) as error:  # pandas' parser errors and pyarrow's are ValueErrors
        raise TrialInvalid(
            f"{path} cannot be read as a table", hint="save it as CSV with a header, or Parquet"
        ) from error


def _require_columns(frame: pd.DataFrame, columns: TrialColumns) -> None:
    known = [str(name) for name in frame.columns]
    problems = []
    for name in dict.fromkeys(columns.all):
        if name not in known:
            best = nearest_name(name, known)
            problems.append(f"there is no column {name!r}" + (f"; did you mean {best!r}?" if best else ""))
        elif columns.all.count(name) > 1 and name != columns.segment:
            problems.append(f"column {name!r} is named twice")
    if problems:
        raise TrialInvalid(
            "; ".join(problems), hint=f"columns are {', '.join(known)}", problems=tuple(problems)
        )


def _treated(column: pd.Series, problems: list[str]) -> NDArray[np.bool_]:
    """1, true, treated, test and the like against 0, false, control and the like."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    words = column.map("{:g}".format, na_action="ignore") if numeric else column
    texts = words.astype("string").str.strip().str.lower()
    treated, control = texts.isin(_TREATED), texts.isin(_CONTROL)
    strange = int((~treated & ~control).sum())
    if strange:
        problems.append(
            f"column {column.name!r} says in {strange} rows neither 1 nor 0 (or treated and control)"
        )
    return np.asarray(treated, dtype=np.bool_)


def _numbers(column: pd.Series, problems: list[str]) -> NDArray[np.float64]:
    """Finite numbers; anything else is a problem."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        problems.append(f"column {column.name!r} has no number in {missing} rows")
    return values


def _covariate(column: pd.Series, problems: list[str]) -> dict[str, NDArray[np.float64]]:
    """A number as it is, missing ones at the mean with a column that says so; a text as one column per value.

    In a randomised trial that keeps the estimate unbiased [Lin, Green and Coppock 2016, "Standard Operating
    Procedures"].
    """
    name = str(column.name)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        missing = ~np.isfinite(values)
        if missing.all():
            problems.append(f"column {name!r} has no number at all")
            return {}
        filled = np.where(missing, values[~missing].mean(), values)
        return {name: filled, f"{name} missing": missing.astype(np.float64)}
    texts = column.astype("string").fillna("missing")
    levels = sorted(texts.unique())
    if len(levels) > MOST_LEVELS:
        problems.append(f"covariate {name!r} has {len(levels)} different texts; {MOST_LEVELS} are the most")
        return {}
    return {f"{name} {level}": (texts == level).to_numpy(np.float64) for level in levels[1:]}


def _segment(frame: pd.DataFrame, name: str, problems: list[str]) -> NDArray[np.object_]:
    if not name:
        return np.full(len(frame), "", dtype=object)
    texts = frame[name].astype("string").fillna("missing")
    if texts.nunique() > MOST_LEVELS:
        problems.append(
            f"segment {name!r} has {texts.nunique()} different values; {MOST_LEVELS} are the most"
        )
    return np.asarray(texts.to_numpy(object))
