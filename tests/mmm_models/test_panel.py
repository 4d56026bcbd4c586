"""Panel: its checks, its selections, and pooling."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.errors import ModelError
from mmm_models.panel import Channel, ChannelKind, Panel, pool

TV = Channel("tv", ChannelKind.PAID, "EUR")
MAIL = Channel("mail", ChannelKind.ORGANIC, "sends")


def make(silo="a", first="2024-01-01", weeks=4, units=2, channels=(TV,), controls=("price",)) -> Panel:
    cell = (units, weeks)
    values = np.arange(units * weeks, dtype=float).reshape(cell) + 1
    return Panel(
        silo=silo,
        units=tuple(f"u{i}" for i in range(units)),
        weeks=np.datetime64(first, "D") + 7 * np.arange(weeks),
        outcome=values,
        observed=np.ones(cell, dtype=bool),
        media=np.stack([values + i for i in range(len(channels))], axis=2),
        spend=np.stack([values * 2 + i for i in range(len(channels))], axis=2),
        controls=np.stack([values * 3 + i for i in range(len(controls))], axis=2),
        revenue_per_outcome=np.full(cell, 2.0),
        population=np.full(units, np.nan),
        channels=channels,
        control_names=controls,
        treatment_names=(),
        currency="EUR",
        outcome_unit="units",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": np.zeros((2, 3))}, "shape"),
        ({"outcome": np.full((2, 4), np.nan)}, "not finite"),
        ({"media": np.full((2, 4, 1), -1.0)}, "negative"),
        ({"spend": np.full((2, 4, 1), -1.0)}, "negative"),
        ({"revenue_per_outcome": np.zeros((2, 4))}, "above 0"),
        ({"population": np.array([0.0, 1.0])}, "population"),
        ({"observed": np.zeros((2, 4), dtype=bool)}, "outcome must be 0"),
        ({"units": ("u0", "u0")}, "named twice"),
        ({"treatment_names": ("promo",)}, "treatment_names"),
        ({"weeks": np.datetime64("2024-01-01", "D") + 8 * np.arange(4)}, "7 days apart"),
    ],
)
def test_a_panel_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ModelError, match=message):
        replace(make(), **change)


def test_units_are_selected_by_index_or_mask():
    panel = make(units=3)
    by_index = panel.select_units([2, 0])
    assert by_index.units == ("u2", "u0")
    assert by_index.outcome[0, 0] == 9.0  # unit 2 starts at 2 * 4 + 1
    assert panel.select_units(np.array([False, True, False])).units == ("u1",)


def test_weeks_are_selected_by_range():
    chosen = make().select_weeks(1, 3)
    assert [str(week) for week in chosen.weeks] == ["2024-01-08", "2024-01-15"]
    assert chosen.outcome.tolist() == [[2.0, 3.0], [6.0, 7.0]]


def test_an_absent_channel_is_added_as_zero_media():
    panel = make(channels=(TV,)).with_channels(["mail", "tv"])
    assert panel.channel_names == ("mail", "tv")
    assert not panel.media[..., 0].any()
    assert not panel.spend[..., 0].any()
    assert panel.media[0, 0, 1] == 1.0


def test_a_channel_cannot_be_left_out():
    with pytest.raises(ModelError, match="mail"):
        make(channels=(TV, MAIL)).with_channels(["tv"])


def test_controls_are_reordered_and_absent_ones_are_zero():
    panel = make(controls=("price", "rain")).with_controls(["rain", "price"], ["promo"])
    assert panel.control_names == ("rain", "price", "promo")
    assert panel.treatment_names == ("promo",)
    assert panel.controls[0, 0].tolist() == [4.0, 3.0, 0.0]


def test_pooling_aligns_calendars_and_channels():
    early = make("a", "2024-01-01", weeks=3, channels=(TV,))
    late = make("b", "2024-01-15", weeks=3, units=1, channels=(MAIL, TV))
    pooled = pool([early, late])
    assert pooled.units == ("a/u0", "a/u1", "b/u0")
    assert [str(week) for week in pooled.weeks[[0, -1]]] == ["2024-01-01", "2024-01-29"]
    assert pooled.n_weeks == 5
    assert pooled.observed.astype(int).tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]
    assert pooled.channel_names == ("tv", "mail")
    assert not pooled.media[:2, :, 1].any()
    assert pooled.media[2, :, 0].tolist() == [0, 0, 2, 3, 4]  # b's tv is its second channel: value + 1
    assert pooled.outcome[2].tolist() == [0, 0, 1, 2, 3]
    assert pooled.controls[2, :, 0].tolist() == [3, 3, 3, 6, 9]  # nearest known value outside


def test_weeks_starting_on_another_day_move_to_the_nearest_week():
    sunday, monday = make("a", "2024-01-07"), make("b", "2024-01-01")
    pooled = pool([monday, sunday])  # Sunday 7 January is one day before Monday 8 January
    assert [str(week) for week in pooled.weeks] == [
        "2024-01-01",
        "2024-01-08",
        "2024-01-15",
        "2024-01-22",
        "2024-01-29",
    ]  # fmt: skip
    assert pooled.observed[2].tolist() == [False, True, True, True, True]
    assert pooled.outcome.sum() == monday.outcome.sum() + sunday.outcome.sum()


def with_frequency(panel, value=2.0):
    return replace(panel, frequency=np.where(panel.media > 0, value, 0.0))


def test_frequency_left_out_is_unknown_everywhere():
    panel = make(channels=(TV, MAIL))

    assert panel.frequency.shape == panel.media.shape
    assert not panel.frequency.any()
    assert panel.has_frequency.tolist() == [False, False]


def test_reach_times_frequency_is_media():
    panel = with_frequency(make(), 4.0)

    assert (panel.reach * 4.0).tolist() == panel.media.tolist()
    assert panel.has_frequency.tolist() == [True]


def test_frequency_stays_with_its_unit_week_and_channel():
    values = np.arange(1.0, 25.0).reshape(3, 4, 2)
    panel = replace(make(units=3, channels=(TV, MAIL)), frequency=values)

    assert panel.select_units([2, 0]).frequency.tolist() == values[[2, 0]].tolist()
    assert panel.select_weeks(1, 3).frequency.tolist() == values[:, 1:3].tolist()
    wider = panel.with_channels(["mail", "radio", "tv"]).frequency
    assert wider.tolist() == np.stack([values[..., 1], np.zeros((3, 4)), values[..., 0]], axis=-1).tolist()


def test_pooled_frequency_is_zero_outside_a_silos_weeks():
    early, late = with_frequency(make("a", "2024-01-01", weeks=3)), make("b", "2024-01-15", weeks=3)

    pooled = pool([early, late])

    assert pooled.frequency[0, :, 0].tolist() == [2, 2, 2, 0, 0]
    assert not pooled.frequency[2:].any()
    assert pooled.has_frequency.tolist() == [False]  # b ran tv and does not know its frequency


@pytest.mark.parametrize("value", [-1.0, np.inf])
def test_a_frequency_that_cannot_be_is_refused(value):
    with pytest.raises(ModelError, match="frequency"):
        with_frequency(make(), value)


def test_pooling_keeps_every_sale_and_every_euro():
    panels = [make("a", "2024-01-01"), make("b", "2023-11-20"), make("c", "2024-03-04", channels=(MAIL, TV))]
    pooled = pool(panels)
    assert pooled.outcome.sum() == sum(panel.outcome.sum() for panel in panels)
    assert pooled.spend.sum() == sum(panel.spend.sum() for panel in panels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"silo": "a"}, "share a name"),
        ({"currency": "USD"}, "currency"),
        ({"outcome_unit": "visits"}, "outcome unit"),
        ({"channels": (replace(TV, kind=ChannelKind.ORGANIC),)}, "kind of channel 'tv'"),
        ({"channels": (replace(TV, exposure_unit="views"),)}, "exposure unit of channel 'tv'"),
    ],
)
def test_silos_that_disagree_are_not_pooled(change, message):
    with pytest.raises(ModelError, match=message):
        pool([make("a"), replace(make("b"), **change)])


def test_an_unknown_currency_does_not_stand_in_the_way():
    assert pool([make("a"), replace(make("b"), currency="")]).currency == "EUR"


def test_nothing_cannot_be_pooled():
    with pytest.raises(ModelError, match="no panels"):
        pool([])
