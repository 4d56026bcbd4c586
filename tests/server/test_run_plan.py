"""From what the silos declare to one model, or a refusal that names the disagreement."""

import json
from typing import Any

import pytest

from mmm_models.panel import ChannelKind
from mmm_models.scaling import MediaPer
from privacy.run_terms import PrivacyMode
from privacy.sum_schedule import Purpose
from privacy.wire import Introduction
from server.errors import RunStoreError, SettingsInvalid
from server.run_plan import RunPlan, plan_run
from server.settings import RunSettings, Strategy

TV, RADIO = {"tv": {"kind": "paid", "unit": "GRP"}}, {"radio": {"kind": "paid", "unit": ""}}


def introduction(silo: str, channels: dict[str, Any], **changes: Any) -> Introduction:
    declared = {"channels": channels, "population": True, "currency": "EUR", "outcome_unit": "EUR", **changes}
    return Introduction(silo, b"key", json.dumps({"minimum_mode": "none", "min_silos": 3, **declared}))


def planned(*introductions: Introduction, **settings: Any) -> RunPlan:
    return plan_run(RunSettings(**settings), "run", introductions)


def test_the_model_has_every_channel_that_any_silo_has() -> None:
    plan = planned(introduction("a", TV), introduction("b", {**RADIO, **TV}))

    assert [channel.name for channel in plan.model.channels] == ["tv", "radio"]


def test_the_order_of_arrival_does_not_matter() -> None:
    first, second = introduction("a", TV), introduction("b", RADIO)

    assert planned(first, second) == planned(second, first)


def test_one_name_for_paid_and_organic_media_is_refused() -> None:
    organic = {"tv": {"kind": "organic", "unit": "GRP"}}

    with pytest.raises(SettingsInvalid, match=r"'tv' is organic in GRP for b, but paid in GRP") as refused:
        planned(introduction("a", TV), introduction("b", organic))

    assert "two channel names" in refused.value.hint


def test_one_name_for_two_units_of_exposure_is_refused() -> None:
    clicks = {"tv": {"kind": "paid", "unit": "clicks"}}

    with pytest.raises(SettingsInvalid, match="clicks"):
        planned(introduction("a", TV), introduction("b", clicks))


def test_an_unstated_unit_agrees_with_any() -> None:
    unstated = {"tv": {"kind": "paid", "unit": ""}}

    assert len(planned(introduction("a", unstated), introduction("b", TV)).model.channels) == 1


@pytest.mark.parametrize("key, other", [("currency", "USD"), ("outcome_unit", "orders")])
def test_silos_that_count_differently_are_refused(key: str, other: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"disagree on {key.replace('_', ' ')}: ") as refused:
        planned(introduction("a", TV), introduction("b", TV, **{key: other}))

    assert other in str(refused.value)
    assert "convert" in refused.value.hint


def test_media_are_per_head_only_where_every_silo_knows_its_population() -> None:
    unknown = introduction("b", TV, population=False)

    assert planned(introduction("a", TV)).model.media_per is MediaPer.POPULATION
    assert planned(introduction("a", TV), unknown).model.media_per is MediaPer.OUTCOME


def test_experiments_of_any_silo_add_rounds_that_calibrate_where_the_run_can_use_them() -> None:
    silos = (introduction("a", TV), introduction("b", TV, experiments=True), *four_silos()[2:])
    calibrated, usual = planned(*silos, rounds=6), planned(*four_silos(), rounds=6)

    assert calibrated.model.calibrated
    assert calibrated.schedule[: len(usual.schedule) - 1] == usual.schedule[:-1]
    assert calibrated.schedule[len(usual.schedule) - 1 :] == (
        *[Purpose.CURVATURE, Purpose.ROUND] * 4,
        Purpose.REPORT,
    )
    assert [calibrated.calibrates_after(rounds) for rounds in (0, 5, 6, 9)] == [False, False, True, True]
    assert not usual.calibrates_after(6)
    assert not planned(*silos, strategy=Strategy.FEDADAM).model.calibrated
    noise = {"privacy": PrivacyMode.LOCAL, "epsilon": 8.0, "delta": 1e-4}
    assert not planned(*silos, **noise).model.calibrated


def test_a_checkpoint_of_more_sums_than_are_planned_is_not_gone_on_with() -> None:
    """As of a run that had experiments, in a directory that does not say whose."""
    usual = planned(introduction("north", TV))
    longer = planned(introduction("north", TV, experiments=True))

    assert usual.sum_after(len(usual.schedule) - 1) is longer.sum_after(len(longer.schedule) - 1)
    with pytest.raises(RunStoreError, match="more sums than the") as refused:
        usual.sum_after(len(longer.schedule) - 1)
    assert "restore `lifts`" in refused.value.hint


def test_a_frequency_that_any_silo_knows_gets_a_response_of_its_own_but_not_under_noise() -> None:
    silos = (introduction("a", TV), introduction("b", TV, frequency=True), *four_silos()[2:])
    noise = {"privacy": PrivacyMode.LOCAL, "epsilon": 8.0, "delta": 1e-4}

    assert planned(*silos).model.model.reach_frequency
    assert planned(*silos).model.parameters == planned(introduction("a", TV)).model.parameters + 2
    assert not planned(*silos, **noise).model.model.reach_frequency
    assert not planned(*four_silos()).model.model.reach_frequency


@pytest.mark.parametrize("mode", [PrivacyMode.LOCAL, PrivacyMode.DISTRIBUTED])
def test_the_invitation_says_what_the_settings_promise(mode: PrivacyMode) -> None:
    privacy = {"privacy": mode, "epsilon": 8.0, "delta": 1e-4, "sample_rate": 0.5}

    plan = planned(*four_silos(), rounds=20, strategy=Strategy.FEDADAM, **privacy)

    invitation = plan.invitation
    assert (invitation.privacy_mode, invitation.sample_rate) == (mode.value, 0.5)
    assert (invitation.epsilon, invitation.delta, invitation.steps) == (8.0, 1e-4, 20)
    assert invitation.privacy == plan.privacy
    assert type(plan.model).model_validate_json(invitation.model) == plan.model


def test_local_steps_are_releases_of_their_own() -> None:
    privacy = {"privacy": PrivacyMode.LOCAL, "epsilon": 8.0, "delta": 1e-4}

    plan = planned(introduction("a", TV), strategy=Strategy.FEDADAM, rounds=20, local_steps=2, **privacy)

    assert plan.invitation.steps == 40


SHARED = {"privacy": PrivacyMode.DISTRIBUTED, "epsilon": 8.0, "delta": 1e-4}


def four_silos(silos: int = 4) -> tuple[Introduction, ...]:
    return tuple(introduction(name, TV) for name in "abcdefghijkl"[:silos])


class TestWhoCarriesTheNoise:
    @pytest.mark.parametrize(
        "silos, dropouts, survivors",
        [
            (4, 0, 4),
            (4, 1, 3),
            (4, 2, 3),  # masks open no sum of two thirds or fewer
            (12, 1, 11),
            (12, 4, 9),
        ],
    )
    def test_those_who_stay_whoever_drops_out(self, silos: int, dropouts: int, survivors: int) -> None:
        terms = planned(*four_silos(silos), tolerated_dropouts=dropouts, **SHARED).privacy

        assert (terms.survivors, terms.colluding) == (survivors, 1)

    def test_colluding_silos_are_those_of_the_settings(self) -> None:
        terms = planned(*four_silos(12), colluding=3, **SHARED).privacy

        assert terms.shares.honest == 11 - 3

    @pytest.mark.parametrize("colluding", [3, 4])
    def test_nobody_is_refused_with_every_way_out(self, colluding: int) -> None:
        with pytest.raises(SettingsInvalid, match="leaves nobody whose noise is certain") as refused:
            planned(*four_silos(), colluding=colluding, **SHARED)

        for way_out in ("more silos", "lower colluding or tolerated-dropouts", "privacy local"):
            assert way_out in refused.value.hint

    def test_each_silo_alone_in_local_mode(self) -> None:
        terms = planned(*four_silos(), **{**SHARED, "privacy": PrivacyMode.LOCAL}).privacy

        assert (terms.survivors, terms.colluding, terms.shares.honest) == (0, 0, 1)


@pytest.mark.parametrize(
    "channels, strategy, values",
    [
        (
            1,
            Strategy.FEDADAM,
            5 * 96 + 1,
        ),  # octaves of media, spend, revenue, outcome, price; the number of units
        (1, Strategy.NEWTON, 5 * 96 + 1),
        (8, Strategy.NEWTON, 19 * 96 + 1),
        (64, Strategy.NEWTON, 320 * 321 // 2),  # half of the curvature of 320 parameters
        (64, Strategy.FEDADAM, 131 * 96 + 1),
    ],
)
def test_slack_is_planned_for_the_longest_sum(channels: int, strategy: Strategy, values: int) -> None:
    many = {f"c{k}": {"kind": "paid", "unit": ""} for k in range(channels)}
    silos = [introduction(name, many) for name in "abcd"]

    assert planned(*silos, strategy=strategy, **SHARED).privacy.values == values


def test_channel_kinds_survive_the_invitation() -> None:
    plan = planned(introduction("a", {"blog": {"kind": "organic", "unit": "visits"}}))

    assert plan.model.panel_channels[0].kind is ChannelKind.ORGANIC


@pytest.mark.parametrize(
    "schema",
    ["", "null", "[]", "{}", '{"channels": 3}', '{"channels": {"tv": {"kind": "rented", "unit": ""}}}'],
)
def test_a_silo_that_introduces_itself_badly_is_named(schema: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"^b introduces itself"):
        planned(introduction("a", TV), Introduction("b", b"key", schema))


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": {}},
        {"population": "yes"},
        {"frequency": 1},
        {"experiments": "lifts.toml"},
        {"currency": 3},
    ],
)
def test_a_declaration_with_a_wrong_value_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match=r"^b introduces itself"):
        planned(
            introduction("a", TV),
            introduction("b", TV, **wrong) if "channels" not in wrong else introduction("b", {}),
        )
