"""A model's results on disk, in open formats: two tables for spreadsheets, two JSON files for programs.

Each file appears whole or not at all. Numbers are unrounded; what is not a number is an empty cell or `null`.
"""

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mmm_models.errors import ModelError
from mmm_models.reporting.plain_json import nan_to_null, null_to_nan
from mmm_models.results import R2_EDGES, HoldoutFit, Results

CONTRIBUTIONS, CURVES = "contributions.csv", "response_curves.csv"
HOLDOUT, RESULTS = "holdout.json", "results.json"
MEASURES = ("contribution", "share", "roi", "marginal_roi")
FORMAT, VERSION = "mixroom-results", 1


class ResultsUnreadable(ModelError):
    """A results file is missing, damaged or of another version."""


def write_results(results: Results, directory: Path) -> tuple[Path, ...]:
    """Write all four files, `results.json` last, and return their paths.

    Raises ModelError, having written nothing, when private results hold numbers of single units.
    """
    if results.private and results.holdout.per_unit:
        raise ModelError(
            "private results hold numbers of single units; nothing was written",
            hint="drop `holdout.per_unit`: only totals were charged for",
        )
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        CONTRIBUTIONS: _contributions_csv(results),
        CURVES: _curves_csv(results),
        HOLDOUT: _json(_holdout(results)),
        RESULTS: _json({"format": FORMAT, "version": VERSION, **asdict(results)}),
    }
    for name, text in texts.items():
        write_whole(directory / name, text)
    return tuple(directory / name for name in texts)


def read_results(directory: Path) -> Results:
    """What `write_results` wrote. Raises ResultsUnreadable."""
    path = directory / RESULTS
    hint = "run `mixroom fit` or `mixroom train` again with this output directory"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ResultsUnreadable(f"{path} is not a results file", hint=hint)
        if (version := content.pop("version", None)) != VERSION:
            raise ResultsUnreadable(f"{path} has version {version}; this reads version {VERSION}", hint=hint)
        return TypeAdapter(Results).validate_python(null_to_nan(content))
    except FileNotFoundError as error:
        raise ResultsUnreadable(f"{directory} holds no {RESULTS}", hint=hint) from error
    except ValidationError as error:
        places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:3])
        raise ResultsUnreadable(f"{path} does not hold what it must: {places}", hint=hint) from error
    except (ValueError, OSError) as error:
        raise ResultsUnreadable(f"{path} cannot be read: {error}", hint=hint) from error


def write_whole(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step: a reader sees the old file or the new one, never half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _contributions_csv(results: Results) -> str:
    header = ["channel", *MEASURES, *(f"{name}_{end}" for name in MEASURES for end in ("low", "high"))]
    rows = []
    for row in results.channels:
        bounds = [getattr(row, f"{name}_interval") for name in MEASURES]
        ends = [end for interval in bounds for end in (interval.low, interval.high)]
        rows.append((row.channel, *(getattr(row, name) for name in MEASURES), *ends))
    return _csv(header, rows)


def _curves_csv(results: Results) -> str:
    rows = []
    for curve in results.curves:
        none = (math.nan,) * len(curve.multiplier)
        columns = (curve.multiplier, curve.spend, curve.contribution, curve.low or none, curve.high or none)
        rows += [(curve.channel, *point) for point in zip(*columns, strict=True)]
    return _csv(("channel", "multiplier", "spend", "contribution", "low", "high"), rows)


def _csv(header: Iterable[str], rows: Iterable[tuple[str | float, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return repr(float(value)) if math.isfinite(value) else ""


def _holdout(results: Results) -> dict[str, Any]:
    holdout = results.holdout
    return {
        "weeks": holdout.weeks,
        "units": holdout.units,
        "rmse": holdout.rmse,
        "nrmse": holdout.nrmse,
        "mape": holdout.mape,
        "r2": _r2_histogram(holdout),
        "per_unit": [asdict(fit) for fit in holdout.per_unit],
        "meaning": {
            "units": "number of units with held-out weeks",
            "rmse": f"{results.outcome_unit or 'outcome'} per unit and week, over all held-out unit-weeks",
            "nrmse": "fraction of each unit's mean training outcome",
            "mape": "fraction; mean over units of the mean absolute relative error",
            "r2": "number of units with R2 from (included) to (excluded); null is unbounded",
        },
    }


def _r2_histogram(holdout: HoldoutFit) -> list[dict[str, float | None]]:
    starts, ends = (None, *R2_EDGES), (*R2_EDGES, None)
    if not holdout.r2_counts:
        return []
    rows = zip(starts, ends, holdout.r2_counts, strict=True)
    return [{"from": start, "to": end, "units": units} for start, end, units in rows]


def _json(content: dict[str, Any]) -> str:
    return json.dumps(nan_to_null(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
