"""What every model family must keep: inherit `FamilyContract` in a test class and set `family`."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mmm_models.errors import ModelError
from mmm_models.family import ModelFamily
from mmm_models.panel import Channel, ChannelKind, Panel
from mmm_models.results import Results
from tests.mmm_models.small_panels import small_panel

HOLDOUT_WEEKS = 8


def with_silent_channel() -> Panel:
    panel = small_panel()
    silent = np.array([1.0, 0.0])
    return replace(panel, media=panel.media * silent, spend=panel.spend * silent)


def with_organic_channels() -> Panel:
    panel = small_panel()
    channels = tuple(Channel(channel.name, ChannelKind.ORGANIC, "visits") for channel in panel.channels)
    return replace(panel, channels=channels, spend=np.zeros_like(panel.spend))


def with_gaps() -> Panel:
    panel = small_panel()
    observed = panel.observed.copy()
    observed[0, 10:25] = observed[1, 55:] = observed[2, :20] = False
    return replace(panel, observed=observed, outcome=panel.outcome * observed)


def with_odd_units() -> Panel:
    """One constant unit, one with weeks without sales, one that opens in the held-out weeks."""
    panel = small_panel(units=4)
    outcome = panel.outcome.copy()
    outcome[0] = 50.0
    outcome[1, ::9] = 0.0
    outcome[2, :-HOLDOUT_WEEKS] = 0.0
    return replace(panel, outcome=outcome)


def in_money_of_another_size(scale: float) -> Panel:
    panel = small_panel()
    return replace(panel, outcome=panel.outcome * scale, spend=panel.spend * scale)


def in_orders() -> Panel:
    """No revenue is known, and an order costs two hundred of the money spent."""
    panel = small_panel()
    return replace(panel, outcome=panel.outcome / 100.0, spend=panel.spend * 100.0, outcome_unit="orders")


def in_cheap_conversions() -> Panel:
    panel = small_panel()
    return replace(panel, outcome=panel.outcome * 50.0, revenue_per_outcome=np.full((3, 60), 0.02))


HARD_PANELS = {
    "usual": small_panel,
    "one unit": lambda: small_panel(units=1),
    "two units of twenty weeks": lambda: small_panel(units=2, weeks=20),
    "no controls": lambda: replace(small_panel(), controls=np.zeros((3, 60, 0)), control_names=()),
    "no channels": lambda: small_panel(channels=0),
    "no media at all": lambda: small_panel(media=np.zeros((3, 60, 2)), spend=np.zeros((3, 60, 2))),
    "no spend": lambda: small_panel(spend=np.zeros((3, 60, 2))),
    "silent channel": with_silent_channel,
    "organic only": with_organic_channels,
    "gaps": with_gaps,
    "odd units": with_odd_units,
    "population": lambda: small_panel(population=np.array([1e3, 5e3, 2e4])),
    "huge money": lambda: in_money_of_another_size(1e9),
    "tiny money": lambda: in_money_of_another_size(1e-9),
    "orders": in_orders,
    "cheap conversions": in_cheap_conversions,
}


class FamilyContract:
    """Finite, non-negative, complete, repeatable; the hold-out is judged but not learnt from.

    A family may say that it can find no effect of media that ran, or that its curves can fall.
    """

    family: ModelFamily
    effects_may_vanish = False
    curves_may_fall = False

    def results(self, panel: Panel, holdout_weeks: int = HOLDOUT_WEEKS) -> Results:
        return self.family.fit(panel, holdout_weeks=holdout_weeks).results

    @pytest.mark.parametrize("name", HARD_PANELS)
    def test_contributions_are_finite_and_never_negative(self, name):
        panel = HARD_PANELS[name]()
        results = self.results(panel)
        assert tuple(channel.channel for channel in results.channels) == panel.channel_names
        for index, channel in enumerate(results.channels):
            assert math.isfinite(channel.contribution)
            assert channel.contribution >= 0
            ran = bool(panel.media[..., index].any())
            assert (
                channel.contribution == 0 if not ran else self.effects_may_vanish or channel.contribution > 0
            )
            assert math.isfinite(channel.roi) == math.isfinite(channel.marginal_roi) == (channel.spend > 0)
            assert 0 <= channel.share < 1
        for curve in results.curves:
            assert self.curves_may_fall or (np.diff(curve.contribution) >= 0).all()
            assert min(curve.contribution) >= 0
            assert curve.contribution[0] == 0
        assert results.outcome == pytest.approx(panel.outcome.sum())
        assert math.isfinite(results.holdout.nrmse)
        assert results.holdout.nrmse < 2.0

    def test_fitting_twice_gives_the_same_results(self):
        first, second = self.results(small_panel()), self.results(small_panel())
        assert first.channels == second.channels
        assert first.holdout.nrmse == second.holdout.nrmse

    def test_held_out_outcomes_are_not_learnt_from(self):
        panel = small_panel()
        outcome = panel.outcome.copy()
        outcome[:, -HOLDOUT_WEEKS:] *= 3.0
        before, after = self.results(panel), self.results(replace(panel, outcome=outcome))
        for one, other in zip(before.channels, after.channels, strict=True):
            assert other.contribution == pytest.approx(one.contribution)
        assert after.holdout.nrmse > before.holdout.nrmse

    def test_every_unit_has_its_own_fit(self):
        holdout = self.results(small_panel()).holdout
        assert [fit.unit for fit in holdout.per_unit] == ["s0", "s1", "s2"]
        assert all(math.isfinite(fit.rmse) and fit.r2 <= 1.0 for fit in holdout.per_unit)

    def test_without_hold_out_there_is_no_fit_but_a_result(self):
        results = self.results(small_panel(), holdout_weeks=0)
        assert math.isnan(results.holdout.nrmse)
        assert all(math.isnan(fit.rmse) for fit in results.holdout.per_unit)
        assert all(self.effects_may_vanish or channel.contribution > 0 for channel in results.channels)

    def test_progress_counts_steps_from_one(self):
        steps: list[int] = []
        self.family.fit(small_panel(), holdout_weeks=0, progress=lambda step, _: steps.append(step))
        assert steps == list(range(1, len(steps) + 1))
        assert steps

    def test_a_panel_without_any_outcome_is_refused(self):
        with pytest.raises(ModelError, match="no outcome above zero") as caught:
            self.results(small_panel(outcome=np.zeros((3, 60))))
        assert caught.value.hint
