"""`planning.json` comes back as it was, or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.planning.stored_basis import (
    FILE_NAME,
    PlanningDataDamaged,
    PlanningDataMissing,
    load_basis,
    save_basis,
)
from tests.mmm_models.planning.small_bases import small_model
from tests.mmm_models.small_panels import small_panel


def small_basis() -> PlanBasis:
    panel = small_panel()
    return basis_of_panel(panel, small_model(panel), "unit")


def test_a_basis_comes_back_as_it_was(tmp_path: Path) -> None:
    basis = replace(small_basis(), by_week=False, noise=np.array([1.5, 0.1]))
    path = save_basis(basis, tmp_path)

    found = load_basis(tmp_path)
    assert path == tmp_path / "planning.json"
    assert (found.channels, found.kinds, found.currency, found.outcome_unit, found.by_week) == (
        basis.channels,
        basis.kinds,
        basis.currency,
        basis.outcome_unit,
        False,
    )
    np.testing.assert_array_equal(found.weeks, basis.weeks)
    np.testing.assert_array_equal(found.noise, basis.noise)
    assert [part.name for part in found.parts] == ["s0", "s1", "s2"]
    for part, expected in zip(found.parts, basis.parts, strict=True):
        assert part.revenue_per_outcome == expected.revenue_per_outcome
        for name in ("outcome", "level", "spend", "intensity", "contribution", "curves"):
            np.testing.assert_array_equal(getattr(part, name), getattr(expected, name))


def test_a_run_without_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PlanningDataMissing) as caught:
        load_basis(tmp_path)
    assert "fit or train again" in caught.value.hint


@pytest.mark.parametrize(
    "what, old, new",
    [
        ("another number", '"revenue_per_outcome": 1.0', '"revenue_per_outcome": 2.0'),
        ("another version", "mixroom-planning/1", "mixroom-planning/2"),
        ("half of it", '"parts"', ""),
    ],
)
def test_a_changed_file_is_not_loaded(tmp_path: Path, what: str, old: str, new: str) -> None:
    path = save_basis(small_basis(), tmp_path)
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")

    with pytest.raises(PlanningDataDamaged, match=FILE_NAME):
        load_basis(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "7", '{"sha256": ""}', "[" * 100_000])
def test_what_is_no_basis_is_not_loaded(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(PlanningDataDamaged):
        load_basis(tmp_path)


@pytest.mark.parametrize(
    "part", [{"curves": np.zeros((2, 3))}, {"level": np.full(60, np.nan)}, {"spend": np.zeros((60, 3))}]
)
def test_arrays_that_do_not_fit_are_not_loaded(tmp_path: Path, part: dict[str, Any]) -> None:
    """Whoever writes such a file by hand can write its digest as well."""
    basis = small_basis()
    save_basis(replace(basis, parts=(replace(basis.parts[0], **part),)), tmp_path)
    assert json.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))["sha256"]

    with pytest.raises(PlanningDataDamaged):
        load_basis(tmp_path)
