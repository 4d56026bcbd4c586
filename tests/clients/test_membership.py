"""A silo keeps its own rules and its own ledger before any data are read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clients.errors import ReplayRefused, TermsRefused
from clients.membership import consider, introduce, start
from clients.silo_home import SiloHome
from mmm_models.errors import ModelError
from mmm_models.intake.silo_file import read_silo_spec
from privacy.errors import BudgetExhausted, RosterRefused, UntrustedPeer
from privacy.masks.key_agreement import build_roster
from privacy.wire import KeyRosterMessage
from simulations.federation import enrol_together
from tests.clients.silo_visits import Visit, visit, visits
from tests.small_federation import add_rules, data_file, private, sharing_noise

Files = tuple[Path, ...]


def charges(visited: Visit) -> list[tuple[str, float]]:
    return [(charge.run_id, charge.spent_after) for charge in visited.home.ledger.summary().charges]


def test_an_introduction_holds_what_the_silo_file_declares_and_reads_no_data(silo_files: Files) -> None:
    data_file(silo_files[2]).unlink()
    spec = read_silo_spec(silo_files[2])

    introduction = introduce(spec, SiloHome.of(spec))

    assert introduction.silo == "silo-3"
    assert json.loads(introduction.schema) == {
        "channels": {"tv": {"kind": "paid", "unit": "impressions"}},  # this silo has no radio
        "population": True,
        "experiments": False,
        "frequency": False,
        "currency": "EUR",
        "outcome_unit": "EUR",
        "minimum_mode": "none",
        "min_silos": 3,
    }


def test_a_silo_that_wants_noise_refuses_a_run_without(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    add_rules(silo_files[0], minimum_mode="local")

    with pytest.raises(TermsRefused, match="silo-1 trains with differential privacy only") as refused:
        visited.joined()

    assert "--privacy local" in refused.value.hint


def test_a_silo_that_wants_noise_joins_a_run_with_noise(silo_files: Files) -> None:
    add_rules(silo_files[0], minimum_mode="local")

    assert visit(silo_files[0], **private()).started().started


def test_a_silo_that_wants_masks_refuses_a_run_without(silo_files: Files) -> None:
    visited = visit(silo_files[0], secure_aggregation="none")
    add_rules(silo_files[0], secure_aggregation="required")

    with pytest.raises(TermsRefused, match="silo-1 sends masked or encrypted vectors only") as refused:
        visited.joined()

    assert "--secure-aggregation masks" in refused.value.hint


ALLOWED = {
    "none": ("none", "distributed", "local"),
    "distributed": ("distributed", "local"),
    "local": ("local",),
}
BUDGET = {"epsilon": 8.0, "delta": 1e-4}


@pytest.mark.parametrize("rule", ALLOWED)
@pytest.mark.parametrize("mode", ["none", "distributed", "local"])
def test_a_silo_joins_only_runs_with_as_much_noise_of_its_own_as_it_asks_for(
    silo_files: Files, rule: str, mode: str
) -> None:
    add_rules(silo_files[0], minimum_mode=rule)
    visited = visits(silo_files, privacy=mode, **({} if mode == "none" else BUDGET))[0]

    if mode in ALLOWED[rule]:
        assert not visited.joined().started
        return
    with pytest.raises(TermsRefused, match="silo-1") as refused:
        visited.joined()
    assert f"--privacy {rule}" in refused.value.hint
    assert charges(visited) == []


@pytest.mark.parametrize(
    "asks_for, plans_for, joins", [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False)]
)
def test_a_silo_says_how_many_colluding_silos_its_noise_must_withstand(
    silo_files: Files, asks_for: int, plans_for: int, joins: bool
) -> None:
    add_rules(silo_files[0], min_colluding=asks_for)
    visited = visits(silo_files, **sharing_noise(epsilon=8.0), colluding=plans_for)[0]

    if joins:
        assert not visited.joined().started
        return
    with pytest.raises(TermsRefused, match=f"stands up to {asks_for} colluding silos") as refused:
        visited.joined()
    assert f"colluding={asks_for}" in refused.value.hint


def test_noise_of_its_own_withstands_any_number_of_colluding_silos(silo_files: Files) -> None:
    add_rules(silo_files[0], min_colluding=99)

    assert visit(silo_files[0], **private()).started().started


def test_a_share_of_noise_needs_a_secure_sum_whatever_the_silos_own_rule(silo_files: Files) -> None:
    """A coordinator whose own settings would not allow it asks all the same."""
    visited = visits(silo_files, **sharing_noise(epsilon=8.0))[0]
    add_rules(silo_files[0], secure_aggregation="optional")

    with pytest.raises(TermsRefused, match="sends masked or encrypted vectors only"):
        visited.joined(replace(visited.invitation, secure_aggregation="none"))


@pytest.mark.parametrize("survivors, asked_for", [(3, 3), (4, 4), (9, 9)])
def test_a_silo_asks_for_as_many_silos_in_a_sum_as_carry_the_noise(
    silo_files: Files, survivors: int, asked_for: int
) -> None:
    """Its signed advert says so: with fewer, what was charged would not be there."""
    visited = visits(silo_files, **sharing_noise(epsilon=8.0))[0]
    invitation = replace(visited.invitation, survivors=survivors)

    _, advert = consider(visited.spec, visited.home, invitation)

    assert advert is not None
    assert advert.min_silos == asked_for


def test_its_own_minimum_stands_above_that(silo_files: Files) -> None:
    add_rules(silo_files[0], min_silos=4)
    visited = visits(silo_files, **sharing_noise(epsilon=8.0))[0]

    _, advert = consider(visited.spec, visited.home, visited.invitation)

    assert visited.plan.privacy.survivors == 3
    assert advert is not None
    assert advert.min_silos == 4


def test_with_shared_noise_the_whole_run_is_charged_at_the_start(silo_files: Files) -> None:
    enrol_together(silo_files)
    together = visits(silo_files, **sharing_noise(epsilon=8.0))
    joined = [consider(visited.spec, visited.home, visited.invitation) for visited in together]
    roster = build_roster([advert for _, advert in joined if advert is not None])

    before = charges(together[0])
    start(together[0].home, joined[0][0], KeyRosterMessage.of(roster))

    assert before == []
    ((run, spent),) = charges(together[0])
    assert run == "run-1"
    assert spent == pytest.approx(8.0, rel=1e-6)


@pytest.mark.parametrize("data", ["gone", "nonsense"])
def test_an_exhausted_ledger_refuses_before_the_data_are_read(silo_files: Files, data: str) -> None:
    add_rules(silo_files[0], lifetime_epsilon=5.0)
    if data == "gone":
        data_file(silo_files[0]).unlink()
    else:
        data_file(silo_files[0]).write_bytes(b"\x00 not a table")
    visited = visit(silo_files[0], **private(epsilon=8.0))

    with pytest.raises(BudgetExhausted, match=r"3 above the lifetime limit of 5") as refused:
        visited.joined()

    assert refused.value.missing == pytest.approx(3.0, rel=1e-3)
    assert "epsilon 5.000" in refused.value.hint or "epsilon 4.999" in refused.value.hint
    assert charges(visited) == []


def test_a_second_run_is_refused_with_the_composed_amount_that_is_missing(silo_files: Files) -> None:
    add_rules(silo_files[0], lifetime_epsilon=10.0)
    visited = visit(silo_files[0], **private(epsilon=8.0))
    visited.started()
    second = replace(visited.invitation, run_id="run-2")

    with pytest.raises(BudgetExhausted) as refused:
        visited.joined(second)

    assert refused.value.spent == pytest.approx(8.0, rel=1e-3)
    assert 8.0 < refused.value.limit + refused.value.missing < 16.0  # composed, not added up
    assert [run for run, _ in charges(visited)] == ["run-1"]


def test_joining_charges_nothing_and_starting_charges_the_whole_run_once(silo_files: Files) -> None:
    visited = visit(silo_files[0], **private(epsilon=8.0))

    visited.joined()
    before = charges(visited)
    visited.started()
    visited.started()

    assert before == []
    ((run, spent),) = charges(visited)
    assert run == "run-1"
    assert spent == pytest.approx(8.0, rel=1e-6)


def test_starting_does_not_read_the_data(silo_files: Files) -> None:
    data_file(silo_files[0]).unlink()

    assert visit(silo_files[0], **private()).started().started


def test_a_budget_that_another_run_took_meanwhile_refuses_at_the_start(silo_files: Files) -> None:
    add_rules(silo_files[0], lifetime_epsilon=10.0)
    visited = visit(silo_files[0], **private(epsilon=8.0))
    session = visited.joined()
    visited.started(replace(visited.invitation, run_id="run-2"))

    with pytest.raises(BudgetExhausted):
        start(visited.home, session, KeyRosterMessage.without_masks("run-1"))

    assert [run for run, _ in charges(visited)] == ["run-2"]


def test_a_private_run_cannot_be_started_again_on_other_terms(silo_files: Files) -> None:
    """Same charge, but ten steps a round: rounds would be numbered anew and be answered beyond the charge."""
    visited = visit(silo_files[0], **private(), rounds=10, local_steps=1)
    visited.started()
    model = visited.plan.model.model_copy(
        update={"local": visited.plan.model.local.model_copy(update={"steps": 10})}
    )

    with pytest.raises(ReplayRefused, match="other terms"):
        visited.started(replace(visited.invitation, model=model.model_dump_json()))


def test_channels_the_run_does_not_know_are_refused(silo_files: Files) -> None:
    without_radio = visit(silo_files[2]).invitation
    spec = read_silo_spec(silo_files[0])

    with pytest.raises(ModelError, match="radio"):
        consider(spec, SiloHome.of(spec), without_radio)


def test_a_silo_starts_only_with_peers_whose_keys_it_pinned(silo_files: Files) -> None:
    enrol_together(silo_files[:2])  # the third is a stranger to the first two
    enrol_together(silo_files[2:])
    visits = [visit(path, secure_aggregation="masks") for path in silo_files[:3]]
    invitation = visits[0].invitation
    joined = [consider(visited.spec, visited.home, invitation) for visited in visits]
    roster = build_roster([advert for _, advert in joined if advert is not None])

    with pytest.raises(UntrustedPeer, match="silo-3"):
        start(visits[0].home, joined[0][0], KeyRosterMessage.of(roster))


def test_an_untrusted_roster_charges_nothing(silo_files: Files) -> None:
    enrol_together(silo_files[:2])
    enrol_together(silo_files[2:])
    visits = [visit(path, secure_aggregation="masks", **private()) for path in silo_files[:3]]
    joined = [consider(visited.spec, visited.home, visits[0].invitation) for visited in visits]
    roster = build_roster([advert for _, advert in joined if advert is not None])

    with pytest.raises(UntrustedPeer):
        start(visits[0].home, joined[0][0], KeyRosterMessage.of(roster))

    assert charges(visits[0]) == []


def test_a_run_with_masks_cannot_be_started_without_a_roster(silo_files: Files) -> None:
    visited = visit(silo_files[0], secure_aggregation="masks")
    enrol_together(silo_files)

    with pytest.raises(RosterRefused):
        start(visited.home, visited.joined(), KeyRosterMessage.without_masks("run-1"))


def test_two_silos_are_too_few_for_masks(silo_files: Files) -> None:
    enrol_together(silo_files[:2])
    visits = [visit(path, secure_aggregation="masks") for path in silo_files[:2]]
    joined = [consider(visited.spec, visited.home, visits[0].invitation) for visited in visits]

    with pytest.raises(RosterRefused, match="2 silos are too few for silo-1, silo-2") as refused:
        build_roster([advert for _, advert in joined if advert is not None])

    assert "more silos" in refused.value.hint
