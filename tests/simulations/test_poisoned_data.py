"""A silo that lies in its own table: what is wrong with it, and that it is still a table the silo can read."""

from pathlib import Path

import numpy as np
import pytest

from mmm_models.panel import Panel
from mmm_models.panel_io import load_panel
from simulations.poisoned_data import INVENTED_SHARE, SCALE, SHIFT_WEEKS, DataLie, poison_data
from tests.small_federation import STORES

Files = tuple[Path, ...]


def lied(silo_file: Path, lie: DataLie, *, copies: int = 1) -> tuple[Panel, Panel]:
    """The silo's panel before and after."""
    before = load_panel(silo_file).panel
    poison_data(silo_file, lie, copies=copies)
    return before, load_panel(silo_file).panel


@pytest.mark.parametrize("lie", list(DataLie))
def test_only_what_is_lied_about_changes(silo_files: Files, lie: DataLie) -> None:
    before, after = lied(silo_files[0], lie)

    assert after.units == before.units
    assert np.array_equal(after.controls, before.controls)
    assert np.array_equal(after.media, before.media) == (lie is not DataLie.SWAPPED)
    assert np.array_equal(after.outcome, before.outcome) == (lie is DataLie.SWAPPED)


def test_a_shifted_outcome_comes_a_quarter_late(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.SHIFTED)

    assert after.outcome[:, SHIFT_WEEKS:] == pytest.approx(before.outcome[:, :-SHIFT_WEEKS])


def test_a_mirrored_outcome_falls_where_it_rose(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.MIRRORED)

    mean = before.outcome.mean(axis=1, keepdims=True)
    assert after.outcome - mean == pytest.approx(mean - before.outcome, abs=0.02)


def test_a_scaled_outcome_is_a_hundred_times_as_large(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.SCALED)

    assert after.outcome == pytest.approx(SCALE * before.outcome)


def test_swapped_channels_carry_each_others_media(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.SWAPPED)

    assert np.array_equal(after.media, before.media[..., ::-1])
    assert np.array_equal(after.spend, before.spend[..., ::-1])


def test_an_invented_effect_adds_sales_where_the_first_channel_ran(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.INVENTED)

    added = (after.outcome - before.outcome).mean(axis=1)
    assert added == pytest.approx(INVENTED_SHARE * before.outcome.mean(axis=1), rel=1e-3)
    assert (after.outcome == before.outcome)[before.media[..., 0] == 0].all()


def test_a_crowd_repeats_every_unit_under_new_names(silo_files: Files) -> None:
    before, after = lied(silo_files[0], DataLie.SCALED, copies=3)

    assert after.n_units == 3 * before.n_units == 3 * STORES
    assert after.outcome.sum() == pytest.approx(3 * SCALE * before.outcome.sum())
