"""National media, history, spend, priors, effects over time; and all of it together."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.diagnostics.effect_waves import effect_waves_unidentified
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.diagnostics.required_history import require_history
from mmm_models.errors import HistoryTooShort, NothingToLearnFrom
from mmm_models.panel import Channel, ChannelKind
from mmm_models.spec import BaselineSpec, ModelSpec
from tests.mmm_models.diagnostics.made_panels import (
    HOLDOUT,
    UNITS,
    WEEKS,
    found,
    independent_media,
    made_panel,
    the_finding,
)
from tests.mmm_models.small_panels import small_panel

ORGANIC = Channel("c1", ChannelKind.ORGANIC, "sends")


def test_media_that_move_alike_everywhere_are_national():
    media = independent_media(3)
    media[..., 1] = np.linspace(0.5, 2.0, UNITS)[:, None] * media[0, :, 1]

    finding = the_finding(made_panel(media), "national-media")

    assert finding.channels == ("c1",)
    assert "12 units" in finding.text


def test_media_that_differ_a_little_between_units_are_local():
    media = independent_media(2)
    media[..., 1] = media[0, :, 1] * np.exp(0.2 * np.random.default_rng(1).standard_normal((UNITS, WEEKS)))

    assert found(made_panel(media), "national-media", "one-unit") == {}


def test_one_unit_is_said_to_be_one():
    panel = made_panel(independent_media(2, units=1))

    assert found(panel, "national-media", "one-unit") == {"one-unit": ()}


def knowing(at_once: list[float]) -> PosteriorSummary:
    size = np.full(len(at_once), 0.3)
    return PosteriorSummary(np.diag(size**2), prior_sd=2 * size, posterior_sd=size, at_once=np.array(at_once))


def test_channels_of_one_series_that_sell_at_once_are_named():
    panel = made_panel(independent_media(3, units=1))

    finding = the_finding(panel, "same-week", posterior=knowing([0.9, 0.49, 0.62]))

    assert (finding.channels, finding.severity) == (("c0", "c2"), "review")
    assert "62 % to 90 % of what a week's media do" in finding.text
    assert "counts it all as the media's (weight 40 %)" in finding.text
    assert "such channels (60 %)" in finding.text
    trusting = ModelSpec(baseline=BaselineSpec(same_week_media_sd=0.0))
    finding = the_finding(panel, "same-week", posterior=knowing([0.9, 0.1, 0.1]), spec=trusting)
    assert "c0 sells mostly in its own week (90 %" in finding.text
    assert "all counted as the media's" in finding.text


def test_channels_without_spend_are_named_apart_since_their_own_week_counts_in_full():
    panel = made_panel(independent_media(2, units=1))
    panel = replace(panel, spend=panel.spend * np.array([1.0, 0.0]), channels=(panel.channels[0], ORGANIC))

    findings = diagnose(panel, holdout_weeks=HOLDOUT, posterior=knowing([0.7, 0.8]))

    said = {each.channels: "two readings" in each.text for each in findings if each.code == "same-week"}
    assert said == {("c0",): True, ("c1",): False}


def test_channels_that_an_experiment_told_are_not_named():
    panel = made_panel(independent_media(2, units=1))

    finding = the_finding(panel, "same-week", posterior=knowing([0.9, 0.9]), tested=("c1",))

    assert finding.channels == ("c0",)


@pytest.mark.parametrize(("units", "at_once"), [(2, [0.9, 0.9]), (1, [0.3, 0.49])])
def test_several_units_or_effects_that_last_leave_nothing_to_say_of_the_same_week(units, at_once):
    panel = made_panel(independent_media(2, units=units))

    assert found(panel, "same-week", posterior=knowing(at_once)) == {}


@pytest.mark.parametrize(
    ("weeks", "severity", "words"),
    [(60, "review", "no season is seen whole"), (110, "note", "seen once")],
)
def test_less_than_two_years_are_little(weeks, severity, words):
    """Held out: 15 of 60 weeks (a quarter at most) and 20 of 110."""
    finding = the_finding(made_panel(independent_media(2, weeks=weeks)), "little-history")

    assert (finding.severity, words in finding.text) == (severity, True)


def test_two_years_of_training_are_enough():
    assert found(made_panel(independent_media(2, weeks=124)), "little-history") == {}


def test_many_channels_on_one_short_series_are_too_many():
    panel = made_panel(independent_media(13, units=1))

    assert found(panel, "few-weeks-per-number") == {"few-weeks-per-number": ()}
    assert found(made_panel(independent_media(13)), "few-weeks-per-number") == {}


def test_history_shorter_than_one_carry_over_is_refused():
    """13 weeks are needed; 16 weeks less a quarter are 12."""
    with pytest.raises(HistoryTooShort, match="12 training weeks a unit, and 13 are needed") as refused:
        require_history(made_panel(independent_media(2, weeks=16)), holdout_weeks=24, spec=ModelSpec())

    assert "give 1 more training week," in refused.value.hint
    require_history(made_panel(independent_media(2, weeks=16)), holdout_weeks=3, spec=ModelSpec())


def test_more_channels_than_weeks_are_refused_on_one_series_only():
    """One unit, 20 weeks less 5: level, trend, 14 effects and one to spare make 17."""
    with pytest.raises(HistoryTooShort, match="and 17 are needed"):
        require_history(
            made_panel(independent_media(14, units=1, weeks=20)), holdout_weeks=5, spec=ModelSpec()
        )
    require_history(made_panel(independent_media(14, units=4, weeks=20)), holdout_weeks=5, spec=ModelSpec())


@pytest.mark.parametrize(("factor", "is_said"), [(1.0, False), (1000.0, True), (0.001, True)])
def test_spend_in_another_money_than_revenue_is_said(factor, is_said):
    panel = made_panel(independent_media(2))
    panel = replace(panel, spend=panel.spend * factor)

    assert found(panel, "spend-not-comparable") == ({"spend-not-comparable": ("c0", "c1")} if is_said else {})


def test_paid_media_without_spend_have_no_roi_and_organic_need_none():
    panel = made_panel(independent_media(2))
    panel = replace(panel, spend=np.zeros_like(panel.spend), channels=(panel.channels[0], ORGANIC))

    assert found(panel, "no-spend", "spend-not-comparable") == {"no-spend": ("c0",)}


def test_a_channel_the_data_say_little_about_is_named():
    posterior = PosteriorSummary(
        np.diag([0.09, 0.36, 0.49]), prior_sd=np.full(3, 0.7), posterior_sd=np.array([0.3, 0.6, 0.7])
    )

    findings = diagnose(made_panel(independent_media(3)), holdout_weeks=HOLDOUT, posterior=posterior)

    said = {f.channels[0]: (f.severity, f.text) for f in findings if f.code == "prior-only"}
    assert {name: severity for name, (severity, _) in said.items()} == {"c1": "note", "c2": "review"}
    assert "86 % of the uncertainty" in said["c1"][1]  # 0.6 / 0.7


def unidentified(panel, waves=2):
    return effect_waves_unidentified(panel, holdout_weeks=HOLDOUT, waves=waves, spec=ModelSpec())


def strong(media):
    """Spend of 10 % of revenue, so that a usual ROI is an effect no period can hide, and little noise."""
    return made_panel(media, noise=0.01, spend=10.0 * media)


def test_effects_over_time_are_identified_where_every_period_has_much_to_say():
    flights = independent_media(2, units=40) * (np.random.default_rng(1).random((40, WEEKS, 2)) < 0.5)

    assert unidentified(strong(flights)) == ()


def test_effects_over_time_need_two_years():
    (finding,) = unidentified(made_panel(independent_media(2, weeks=110)))

    assert finding.code == "no-time-varying-effects"
    assert "there are 90 training weeks, and 104 are needed" in finding.text


def test_effects_over_time_need_media_in_every_period():
    flights = independent_media(2, units=40) * (np.random.default_rng(1).random((40, WEEKS, 2)) < 0.5)
    flights[:, :70, 1] = 0.0

    (finding,) = unidentified(strong(flights))

    assert finding.channels == ("c1",)


def test_a_panel_without_outcome_is_refused():
    panel = made_panel(independent_media(1))

    with pytest.raises(NothingToLearnFrom):
        diagnose(replace(panel, outcome=np.zeros_like(panel.outcome)), holdout_weeks=HOLDOUT)


def test_a_panel_that_can_tell_everything_has_nothing_said_about_it():
    flights = independent_media(3, units=40) * (np.random.default_rng(1).random((40, WEEKS, 3)) < 0.5)

    assert found(strong(flights)) == {}


def test_the_gravest_finding_comes_first():
    media = independent_media(3)
    media[..., 2] = media[..., 0]
    severities = [finding.severity for finding in diagnose(made_panel(media), holdout_weeks=HOLDOUT)]

    assert severities == sorted(severities, key=["fail", "review", "note"].index)
    assert {"review", "note"} == set(severities)


def test_a_long_list_of_channels_is_shortened():
    panel = made_panel(independent_media(13), spend=np.zeros((UNITS, WEEKS, 13)))

    assert the_finding(panel, "no-spend").text.startswith("c0, c1, c2 and 10 others ran")


@pytest.mark.parametrize(
    ("units", "weeks", "channels", "limit_seconds"), [(800, 104, 5, 1.0), (190, 156, 13, 2.0)]
)
def test_large_panels_are_diagnosed_in_no_time(units, weeks, channels, limit_seconds):
    panel = small_panel(units, weeks, channels)

    begun = time.process_time()
    diagnose(panel, holdout_weeks=24)

    assert time.process_time() - begun < limit_seconds


def test_the_readme_names_every_code(repository):
    folder = repository / "mmm_models" / "diagnostics"
    sources = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r'(?:Finding\(\s*|CODE = )"([a-z-]+)"', sources))
    table = (folder / "README.md").read_text(encoding="utf-8").split("| code |")[1]

    assert len(codes) > 12
    assert codes == set(re.findall(r"`([a-z]+-[a-z-]+|collinear)`", table))
