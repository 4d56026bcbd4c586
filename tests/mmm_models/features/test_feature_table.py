"""The whole table: every column by hand, whatever the blocks."""

import numpy as np
import pytest

from mmm_models.features import feature_table as module
from mmm_models.features.carry_over import CarryOver, CarryOverKind, carry_over
from mmm_models.features.feature_set import EVERY_KIND, FOR_TREES, FeatureSet
from mmm_models.features.feature_table import feature_table
from mmm_models.features.saturation import Saturation, SaturationKind

HALF = CarryOver(CarryOverKind.GEOMETRIC, 0.5)
SMALL = FeatureSet((1,), (HALF,), (Saturation(SaturationKind.HILL, 1.0),), products=True)


def media(units=3, weeks=30, channels=2):
    return np.random.default_rng(0).gamma(2.0, 0.5, (units, weeks, channels))


def test_columns_are_lag_carry_over_curve_product_and_calendar():
    shown = media()
    calendar = np.arange(60.0).reshape(30, 2)

    table = feature_table(shown, calendar, SMALL)

    carried = [carry_over(shown[..., channel], HALF.kernel) for channel in (0, 1)]
    curve = [one / (one + 1.0) for one in carried]
    before = np.concatenate([np.zeros((3, 1, 2)), shown[:, :-1]], axis=1)
    expected = [
        before[..., 0],
        carried[0],
        curve[0],
        before[..., 1],
        carried[1],
        curve[1],
        curve[0] * curve[1],
    ]
    assert table[..., :7] == pytest.approx(np.stack(expected, axis=-1))
    assert (table[..., 7:] == calendar).all()


def test_names_say_what_each_column_holds():
    assert SMALL.names(("tv", "search")) == (
        "tv, lag 1", "tv, geometric 0.5 0", "tv, geometric 0.5 0, hill 1 1",
        "search, lag 1", "search, geometric 0.5 0", "search, geometric 0.5 0, hill 1 1",
        "tv x search",
    )  # fmt: skip


@pytest.mark.parametrize("features", [EVERY_KIND, FOR_TREES], ids=["every kind", "for trees"])
def test_there_is_a_name_for_every_column(features):
    table = feature_table(media(channels=3), np.zeros((30, 0)), features)

    names = features.names(("a", "b", "c"))
    assert len(set(names)) == len(names) == features.n_columns(3) == table.shape[-1]


def test_many_blocks_give_the_same_table_as_one(monkeypatch):
    shown, calendar = media(units=23), np.ones((30, 1))
    whole = feature_table(shown, calendar, EVERY_KIND)

    monkeypatch.setattr(module, "BLOCK_CELLS", 5 * 30 * whole.shape[-1])

    assert feature_table(shown, calendar, EVERY_KIND) == pytest.approx(whole, rel=1e-12)


def test_single_precision_stays_single_and_is_close():
    shown, calendar = media(), np.ones((30, 1))

    single = feature_table(shown.astype(np.float32), calendar, EVERY_KIND)

    assert single.dtype == np.float32
    assert single == pytest.approx(feature_table(shown, calendar, EVERY_KIND), rel=1e-5, abs=1e-6)


def test_media_may_have_no_channel():
    assert feature_table(media(channels=0), np.ones((30, 1)), EVERY_KIND).shape == (3, 30, 1)


def test_a_set_without_any_view_is_refused():
    with pytest.raises(ValueError, match="a lag or a carry-over"):
        FeatureSet((), ())
