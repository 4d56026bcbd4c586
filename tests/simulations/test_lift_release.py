"""Signed releases of a real room become lifts, with an honest standard error; what is not genuine never does."""

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cleanroom.errors import HomeUnusable, ReleaseUnverified, RoomError
from mmm_models.experiments.lift_entries import ReleasedLift
from privacy.mechanisms import expected_error
from simulations.errors import (
    LiftReleaseMisshapen,
    LiftReleaseNoiseUnknown,
    LiftReleaseUnusable,
    LiftReleaseWithheld,
)
from simulations.lift_arms import Arm, LiftArms, lift_arms
from simulations.lift_noise import CountNoise
from simulations.lift_release import RoomTrust, lift_of_release, released_lift
from tests.simulations.lift_room import (
    CONTROL,
    CONTROL_BUYERS,
    DP,
    TEST,
    TEST_BUYERS,
    LiftRoom,
    lift_room,
    lift_sql,
)

PEOPLE = 50_000
ENTRY = ReleasedLift(
    channel="social",
    start=date(2024, 3, 4),
    end=date(2024, 3, 31),
    release=Path("release.json"),
    home=Path("room"),
    people=PEOPLE,
    outcome_per_buyer=1.0,
)
IN_MONEY = ENTRY.model_copy(update={"outcome_per_buyer": None, "spread": 1 / 3})
COUNTS = {
    "test_people": TEST,
    "test_buyers": TEST_BUYERS,
    "control_people": CONTROL,
    "control_buyers": CONTROL_BUYERS,
}


def result(**values):
    """A result table of one row."""
    return {"columns": [{"name": name, "type": "bigint"} for name in values], "rows": [list(values.values())]}


# --- what the numbers say -------------------------------------------------------------------------------


def test_the_lift_in_buyers_is_that_of_two_shares():
    """0.25 against 0.2; binomial variances 0.25 * 0.75 / 400 and 0.2 * 0.8 / 300."""
    measured = lift_arms(result(**COUNTS), 50).per_person(ENTRY, CountNoise())

    assert measured.lift == pytest.approx(0.05)
    assert measured.standard_error == pytest.approx(math.sqrt(0.1875 / 400 + 0.16 / 300))


def test_shares_stand_for_buyers_as_the_built_in_template_has_them():
    shares = {"test_people": TEST, "test_rate": 0.25, "control_people": CONTROL, "control_rate": 0.2}

    assert lift_arms(result(**shares), 50).per_person(ENTRY, CountNoise()) == (
        lift_arms(result(**COUNTS), 50).per_person(ENTRY, CountNoise())
    )


def test_the_lift_in_money_has_the_spread_of_peoples_values():
    """Half of the buyers spend 20, half 40: a spread of 10 / 30; so the variance is that of the people themselves."""
    import numpy as np

    arms = lift_arms(result(**COUNTS, test_value=3000.0, control_value=1800.0), 50)
    persons = [
        np.repeat([20.0, 40.0, 0.0], [buyers // 2, buyers // 2, people - buyers])
        for people, buyers in ((TEST, TEST_BUYERS), (CONTROL, CONTROL_BUYERS))
    ]

    measured = arms.per_person(IN_MONEY, CountNoise())

    assert measured.lift == pytest.approx(persons[0].mean() - persons[1].mean())
    assert measured.standard_error == pytest.approx(math.sqrt(sum(p.var() / len(p) for p in persons)))


def test_noise_in_the_counts_widens_the_standard_error():
    """By as much as drawing that noise again and again spreads the lift."""
    import numpy as np

    rng, sd, draws = np.random.default_rng(1), 8.0, 40_000
    noisy = [
        (buyers + rng.normal(0, sd, draws)) / (people + rng.normal(0, sd, draws))
        for people, buyers in ((TEST, TEST_BUYERS), (CONTROL, CONTROL_BUYERS))
    ]

    arms = lift_arms(result(**COUNTS), 50)
    exact, noised = (arms.per_person(ENTRY, CountNoise(count_sd)) for count_sd in (0.0, sd))

    added = math.sqrt(noised.standard_error**2 - exact.standard_error**2)
    assert added == pytest.approx(np.std(noisy[0] - noisy[1]), rel=0.02)


def test_a_share_that_noise_moved_below_zero_has_a_variance():
    arms = LiftArms(Arm(400.0, -2.0, math.nan), Arm(300.0, 0.0, math.nan))

    assert arms.per_person(ENTRY, CountNoise(2.0)).standard_error > 0


@pytest.mark.parametrize(
    ("table", "error", "told"),
    [
        (result(region="north", people=160), LiftReleaseMisshapen, "it lacks test_people, control_people"),
        (
            {**result(**COUNTS), "rows": [list(COUNTS.values())] * 2},
            LiftReleaseMisshapen,
            "2 rows, where a lift has one",
        ),
        (result(**{**COUNTS, "test_buyers": "many"}), LiftReleaseMisshapen, "test_buyers is no number"),
        ({**result(**COUNTS), "rows": []}, LiftReleaseWithheld, "it is empty, or withheld"),
        (result(**{**COUNTS, "control_buyers": None}), LiftReleaseWithheld, "it is empty, or withheld"),
        (result(**{**COUNTS, "control_people": 0}), LiftReleaseWithheld, "it is empty, or withheld"),
    ],
)
def test_a_result_that_is_no_lift_is_refused_with_what_would_be(table, error, told):
    with pytest.raises(error, match=told) as refused:
        lift_arms(table, 50)

    assert isinstance(refused.value, LiftReleaseUnusable)
    assert refused.value.hint


def test_buyers_without_a_worth_are_asked_for_it():
    with pytest.raises(LiftReleaseMisshapen, match="holds no sums of value") as refused:
        lift_arms(result(**COUNTS), 50).per_person(IN_MONEY, CountNoise())

    assert "outcome_per_buyer" in refused.value.hint


def test_noise_that_hides_a_group_gives_no_lift_in_money():
    arms = lift_arms(result(**COUNTS, test_value=3000.0, control_value=-5.0), 50)

    with pytest.raises(LiftReleaseUnusable, match="not above zero"):
        arms.per_person(IN_MONEY, CountNoise())


# --- real releases of a real room -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiftRoom]:
    with lift_room(tmp_path_factory.mktemp("room")) as running:
        yield running


@pytest.fixture(scope="module")
def release(room):
    return room.release(lift_sql())


@pytest.fixture(scope="module")
def noised(room):
    return room.release(lift_sql(trial="noisy_trial", with_value=True))


@pytest.fixture
def kept(tmp_path, room):
    """Writes a release beside a lift file, and gives the entry that names it."""

    def keep(document, **changes):
        path = tmp_path / "release.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return ENTRY.model_copy(update={"release": path, "home": room.home.folder, **changes})

    return keep


@pytest.mark.slow
def test_a_genuine_release_becomes_a_lift(release, kept):
    lift = released_lift(kept(release))

    assert lift.lift == pytest.approx(0.05 * PEOPLE)
    assert lift.standard_error == pytest.approx(PEOPLE * math.sqrt(0.1875 / 400 + 0.16 / 300))
    assert (lift.channel, lift.units, lift.change) == ("social", None, -1.0)
    assert (lift.first_week, lift.last_week) == (date(2024, 3, 4), date(2024, 3, 25))
    assert lift.source == f"release of query {release['body']['query_id']}"


@pytest.mark.slow
def test_sums_of_value_become_a_lift_in_money(room, kept):
    lift = released_lift(
        kept(room.release(lift_sql(with_value=True)), outcome_per_buyer=None, units=["north/a"], change=-0.4)
    )

    assert lift.lift == pytest.approx(PEOPLE * (3000 / 400 - 1800 / 300))
    assert (lift.units, lift.change) == (("north/a",), -0.4)


@pytest.mark.slow
def test_a_noised_release_says_so_in_its_standard_error(noised, kept):
    """Three numbers of each group leave, and people are in one group: three mechanisms share the epsilon."""
    row = noised["body"]["result"]["rows"][0]
    test, control = Arm(row[0], row[1], row[4]), Arm(row[2], row[3], row[5])
    per_mechanism = DP["epsilon_per_query"] / 3
    count_sd = expected_error(1 / per_mechanism).standard_deviation
    sum_sd = expected_error(50 * 100 / per_mechanism).standard_deviation / 100  # cut at 50; in cents

    in_buyers, in_money = released_lift(kept(noised)), released_lift(kept(noised, outcome_per_buyer=None))

    noise = CountNoise(count_sd, sum_sd)
    assert in_buyers.standard_error == pytest.approx(
        PEOPLE * math.sqrt(test.variance_of_rate(noise) + control.variance_of_rate(noise)), rel=1e-6
    )
    assert in_money.standard_error == pytest.approx(
        PEOPLE * math.sqrt(test.variance_of_value(1.0, noise) + control.variance_of_value(1.0, noise)),
        rel=1e-6,
    )
    assert in_buyers.standard_error > PEOPLE * math.sqrt(
        test.variance_of_rate(CountNoise()) + control.variance_of_rate(CountNoise())
    )


@pytest.mark.slow
def test_noise_cannot_be_told_without_the_rooms_record(noised, room):
    trust = RoomTrust.of_home(room.home.folder)

    with pytest.raises(LiftReleaseNoiseUnknown) as refused:
        lift_of_release(noised, ENTRY, replace(trust, record=None))

    assert "mixroom room audit --verify" in refused.value.hint


@pytest.mark.slow
def test_a_withheld_group_gives_no_lift(room, kept):
    with pytest.raises(LiftReleaseWithheld, match="it is empty, or withheld") as refused:
        released_lift(kept(room.release(lift_sql(test="nobody"))))

    assert "each needs 50 people" in refused.value.hint


@pytest.mark.slow
def test_a_release_of_something_else_gives_no_lift(room, kept):
    sql = "SELECT arm, COUNT(DISTINCT person) AS people FROM trial GROUP BY arm"

    with pytest.raises(LiftReleaseMisshapen, match="the release is of no lift"):
        released_lift(kept(room.release(sql)))


def _other_number(document):
    document["body"]["result"]["rows"][0][1] += 1


def _other_signature(document):
    text = document["signature"]
    document["signature"] = ("A" if text[0] != "A" else "B") + text[1:]


def _no_noise(document):
    document["body"]["protection"]["mode"] = "threshold"


@pytest.mark.slow
@pytest.mark.parametrize("tamper", [_other_number, _other_signature])
def test_a_tampered_release_is_not_genuine(release, kept, tamper):
    changed = deepcopy(release)
    tamper(changed)

    with pytest.raises(ReleaseUnverified, match="not genuine") as refused:
        released_lift(kept(changed))

    assert "do not use it" in refused.value.hint


@pytest.mark.slow
def test_a_noised_release_that_claims_to_be_exact_is_not_genuine(noised, kept):
    changed = deepcopy(noised)
    _no_noise(changed)

    with pytest.raises(ReleaseUnverified, match="not genuine"):
        released_lift(kept(changed))


@pytest.mark.slow
def test_a_release_of_another_room_is_not_genuine(release, room):
    trust = RoomTrust.of_home(room.home.folder)
    elsewhere = replace(trust, trust=replace(trust.trust, collaboration="col-abcdefgh23456722"))

    with pytest.raises(ReleaseUnverified, match="it is of another collaboration"):
        lift_of_release(release, ENTRY, elsewhere)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_file_that_is_no_release_is_refused(kept, text):
    with pytest.raises(RoomError) as refused:
        released_lift(kept(text))

    assert refused.value.hint


@pytest.mark.slow
def test_a_missing_file_and_a_folder_that_is_no_home_are_named(kept, release, tmp_path):
    with pytest.raises(LiftReleaseUnusable, match=r"none\.json cannot be read"):
        released_lift(ENTRY.model_copy(update={"release": tmp_path / "none.json"}))
    with pytest.raises(HomeUnusable, match="is not the home of a party in a room") as refused:
        released_lift(kept(release, home=tmp_path))
    assert "set `home`" in refused.value.hint
