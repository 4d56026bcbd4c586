"""A run's sums through the real sandbox, with a coordinator, a network and a machine that do as they like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message, RecordDict

from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from privacy.attested_sums.sum_enclave_program import LIMITS, SUM_ENCLAVE
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.enclave.tee_backend import TeeBackend
from privacy.wire import (
    ATTEST,
    CONTRIBUTE,
    JOIN,
    START,
    UNMASK,
    Acknowledgement,
    AttestedEnclave,
    KeyRosterMessage,
    SealedUpdate,
    from_record,
    to_record,
)
from server.enclave_host import EnclaveHost, EnclaveParty
from server.enclave_sums import EnclaveSums
from server.errors import RoundAborted, SiloRefused, SumLost
from server.run_plan import RunPlan, plan_run
from server.settings import RunSettings
from server.silo_exchange import SiloExchange
from simulations.in_process_grid import Loss
from simulations.local_enclave import with_local_enclave
from tests.server.lying_coordinator import (
    FOUR,
    NODES,
    ONE,
    THREE,
    TWO,
    Coordinator,
    Files,
    changed,
    reason,
    units_in,
)
from tests.small_federation import SILOS, STORES, add_rules


@dataclass
class Enclosed(Coordinator):
    """The real coordinator with an enclave in the real sandbox, whose root all silos have pinned."""

    enclaves: Callable[[RunSettings], TeeBackend] | None = None
    shown: list[AttestedEnclave] = field(default_factory=list)

    def __post_init__(self) -> None:
        home = {"enclave": True, "enclave_home": str(self.out / "platform")}
        self.changes = {"secure_aggregation": "none", **home, **self.changes}
        super().__post_init__()
        with_local_enclave(self.silo_files, self.settings)
        if self.enclaves is not None:
            self.exchange = SiloExchange(self.grid, self.settings, enclaves=self.enclaves)

    def start(self) -> RunPlan:
        plan = plan_run(self.settings, "run", self.exchange.gather())
        self.exchange.start(plan.invitation, self.shown.append)
        return plan

    @property
    def host(self) -> EnclaveHost:
        assert isinstance(self.exchange.sums, EnclaveSums)
        return self.exchange.sums.host


@pytest.fixture
def enclosed(silo_files: Files, tmp_path: Path) -> Iterator[Callable[..., Enclosed]]:
    made: list[Enclosed] = []

    def make(**changes: Any) -> Enclosed:
        given = {name: changes.pop(name) for name in ("enclaves",) if name in changes}
        made.append(Enclosed(silo_files, tmp_path, changes, **given))
        return made[-1]

    yield make
    for coordinator in made:
        coordinator.exchange.close()


Make = Callable[..., Enclosed]


@pytest.mark.parametrize("secure_aggregation", ["none", "masks"])
def test_a_sum_is_exact_and_all_that_passes_the_coordinator_is_sealed(
    enclosed: Make, secure_aggregation: str
) -> None:
    passed: list[RecordDict] = []

    def note(reply: Message) -> RecordDict:
        passed.append(reply.content)
        return reply.content

    coordinator = enclosed(secure_aggregation=secure_aggregation)
    coordinator.grid.tampered = {(node, kind): note for node in NODES for kind in (CONTRIBUTE, UNMASK)}
    answer = coordinator.sum(coordinator.start())

    assert (answer.silos, answer.failures) == (SILOS, ())
    assert units_in(answer) == 4 * STORES
    rounds = 1 if secure_aggregation == "none" else 2
    assert [from_record(content, SealedUpdate).silo for content in passed] == [*SILOS] * rounds


def other_code(settings: RunSettings) -> TeeBackend:
    """Under limits that nobody published, which measures as another program does."""
    profile = SandboxProfile(Isolation.FULL, replace(LIMITS, threads=LIMITS.threads + 1))
    return EmulatedBackend(SUM_ENCLAVE, EmulatedPlatform.open(settings.enclave_directory), profile)


def other_root(settings: RunSettings) -> TeeBackend:
    profile = SandboxProfile(Isolation.FULL, LIMITS)
    platform = EmulatedPlatform.open(settings.enclave_directory / "other")
    return EmulatedBackend(SUM_ENCLAVE, platform, profile)


@pytest.mark.parametrize("enclaves", [other_code, other_root])
def test_silos_send_nothing_to_an_enclave_of_another_program_or_root(
    enclosed: Make, enclaves: Callable[[RunSettings], TeeBackend]
) -> None:
    coordinator = enclosed(enclaves=enclaves)

    with pytest.raises(SiloRefused, match="silo-1 does not take part: AttestationRefused"):
        coordinator.start()

    assert {START, CONTRIBUTE}.isdisjoint(coordinator.grid.sent)


def test_a_silo_without_a_pinned_root_says_how_to_pin_one(enclosed: Make, silo_files: Files) -> None:
    coordinator = enclosed()
    home = SiloHome.of(read_silo_spec(silo_files[0]))
    for path in (home.directory / "enclave-roots").iterdir():
        path.unlink()

    with pytest.raises(SiloRefused, match="silo-1 has pinned no root of trust") as refused:
        coordinator.start()

    assert "mixroom silo pin-enclave" in refused.value.hint


def test_a_silo_in_production_refuses_an_emulated_enclave(enclosed: Make, silo_files: Files) -> None:
    add_rules(silo_files[1], production=True)

    with pytest.raises(SiloRefused, match="silo-2 does not take part: AttestationRefused"):
        enclosed().start()


def test_reduced_isolation_is_for_silos_whose_files_allow_it(enclosed: Make, silo_files: Files) -> None:
    with pytest.raises(SiloRefused, match="silo-1 does not take part: AttestationRefused"):
        enclosed(enclave_isolation="reduced").start()

    for path in silo_files:
        add_rules(path, enclave_isolation="reduced")
    coordinator = enclosed(enclave_isolation="reduced")
    assert units_in(coordinator.sum(coordinator.start())) == 4 * STORES


def test_a_silo_may_name_the_measurements_it_accepts(enclosed: Make, silo_files: Files) -> None:
    with pytest.raises(SiloRefused, match="AttestationRefused"):
        enclosed(enclaves=other_code).start()

    for path in silo_files:
        add_rules(path, enclave_measurements=[other_code(enclosed().settings).measurement.code])
    coordinator = enclosed(enclaves=other_code)
    assert units_in(coordinator.sum(coordinator.start())) == 4 * STORES


def test_an_attestation_of_before_is_refused(enclosed: Make) -> None:
    """The enclave it speaks of may be long dead, its key anywhere."""
    coordinator = enclosed()
    coordinator.start()
    kept = to_record(coordinator.shown[0])
    coordinator.grid.forged = {(TWO, ATTEST): lambda _: kept}

    with pytest.raises(
        SiloRefused, match=r"silo-2 does not take part: RosterRefused: .* nonce that silo-2 gave"
    ):
        coordinator.host.attest()


ATTEST_ATTACKS: dict[str, tuple[Callable[[AttestedEnclave], dict[str, Any]], str]] = {
    "a key in a silo's place": (
        lambda m: {"public_keys": (*m.public_keys[:3], b"\x09" * 32)},
        "UntrustedPeer: the enclave would take updates under a key for silo-4",
    ),
    "a silo that is none": (
        lambda m: {"silos": (*m.silos[:3], "silo-9")},
        "UntrustedPeer: the enclave would take updates under a key for silo-9",
    ),
    "a roster": (lambda m: {"roster_digest": b"\x09" * 32}, "AttestationRefused"),
}


@pytest.mark.parametrize("attack", ATTEST_ATTACKS)
def test_a_silo_that_is_shown_something_else_than_what_was_attested_refuses(
    enclosed: Make, attack: str
) -> None:
    change, words = ATTEST_ATTACKS[attack]

    def forge(message: Message) -> RecordDict:
        honest = from_record(message.content, AttestedEnclave)
        return to_record(replace(honest, **change(honest)))

    coordinator = enclosed()
    coordinator.grid.forged = {(ONE, ATTEST): forge}
    with pytest.raises(SiloRefused, match="silo-1 does not take part") as refused:
        coordinator.start()

    assert words in str(refused.value)
    assert {START, CONTRIBUTE}.isdisjoint(coordinator.grid.sent)


def test_a_silo_starts_no_run_whose_enclave_it_has_not_checked(enclosed: Make) -> None:
    coordinator = enclosed()
    plan = plan_run(coordinator.settings, "run", coordinator.exchange.gather())
    coordinator.say(ONE, JOIN, plan.invitation)

    refusal = reason(coordinator.say(ONE, START, KeyRosterMessage.without_masks("run")))

    assert "OutOfOrder: no enclave of this run was attested" in refusal


def test_a_silo_that_demands_an_enclave_joins_no_run_without(silo_files: Files, tmp_path: Path) -> None:
    add_rules(silo_files[2], enclave="required")

    with pytest.raises(SiloRefused, match="silo-3 sends what an attested enclave alone can open") as refused:
        Coordinator(silo_files, tmp_path).start()

    assert "--enclave" in refused.value.hint


def test_one_of_four_may_drop_out_at_any_stage(enclosed: Make) -> None:
    coordinator = enclosed(secure_aggregation="masks")
    plan = coordinator.start()

    for number, (kind, loss, counted) in enumerate(
        [
            (CONTRIBUTE, Loss.MESSAGE, 3),
            (CONTRIBUTE, Loss.REPLY, 3),
            (UNMASK, Loss.MESSAGE, 4),
            (UNMASK, Loss.REPLY, 4),
        ],
        start=1,
    ):
        coordinator.grid.lost = {(TWO, kind): loss}
        answer = coordinator.sum(plan, number=number)

        assert units_in(answer) == counted * STORES
        assert [failure.silo for failure in answer.failures] == ["silo-2"]


def test_below_the_agreed_number_nothing_is_opened_then_or_later(enclosed: Make) -> None:
    coordinator = enclosed()
    plan = coordinator.start()
    coordinator.grid.lost = {(TWO, CONTRIBUTE): Loss.REPLY, (THREE, CONTRIBUTE): Loss.REPLY}

    with pytest.raises(RoundAborted, match="only 2 of 4 silos answered, 3 are needed"):
        coordinator.sum(plan)

    coordinator.grid.lost = {}
    assert units_in(coordinator.sum(plan, number=2)) == 4 * STORES


TAMPERED: dict[str, Callable[[Message], RecordDict]] = {
    "another silo's name": changed(SealedUpdate, silo="silo-1"),
    "a changed update": changed(SealedUpdate, sealed=b"\x00" * 300),
    "nothing": changed(SealedUpdate, sealed=b""),
    "another message": lambda _: to_record(Acknowledgement("silo-2")),
}


def test_what_the_silo_did_not_seal_is_named_and_left_out(enclosed: Make) -> None:
    coordinator = enclosed()
    plan = coordinator.start()

    for number, (what, tamper) in enumerate(TAMPERED.items(), start=1):
        coordinator.grid.tampered = {(TWO, CONTRIBUTE): tamper}
        answer = coordinator.sum(plan, number=number)

        assert [failure.silo for failure in answer.failures] == ["silo-2"], what
        assert units_in(answer) == 3 * STORES, what


def test_an_update_of_the_sum_before_does_not_count_again(enclosed: Make) -> None:
    coordinator = enclosed()
    plan = coordinator.start()
    kept: list[RecordDict] = []

    def keep(reply: Message) -> RecordDict:
        kept.append(reply.content)
        return reply.content

    coordinator.grid.tampered = {(FOUR, CONTRIBUTE): keep}
    coordinator.sum(plan)
    coordinator.grid.tampered = {(FOUR, CONTRIBUTE): lambda _: kept[0]}
    answer = coordinator.sum(plan, number=2)

    assert [failure.silo for failure in answer.failures] == ["silo-4"]


def test_no_silo_answers_a_sum_twice_whatever_enclave_asks(enclosed: Make) -> None:
    """Else a coordinator would have it opened again in the next enclave, over one silo less."""
    coordinator = enclosed()
    plan = coordinator.start()
    coordinator.sum(plan)
    coordinator.host.close()
    coordinator.host.attest()

    with pytest.raises(RoundAborted, match="ReplayRefused: silo-1 has already sealed its part of sum 1"):
        coordinator.sum(plan)


@pytest.mark.parametrize("invited_again", [False, True])
def test_no_later_enclave_of_a_run_serves_fewer_silos_than_the_first(
    enclosed: Make, invited_again: bool
) -> None:
    """Else sums that four silos are in would be followed, under the same numbers, by sums of three."""
    coordinator = enclosed()
    plan = coordinator.start()
    if invited_again:
        for node in NODES:
            assert not coordinator.say(node, JOIN, plan.invitation).has_error()
    host = coordinator.host
    host._party = replace(host._party, introductions=host._party.introductions[:3])

    with pytest.raises(SiloRefused, match=r"silo-1 does not take part: OutOfOrder: .* other silos, keys"):
        host.attest()


def test_no_later_enclave_of_a_run_needs_fewer_silos_in_a_sum(
    enclosed: Make, silo_files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silo 4 asks for all four; when it is left out of a sum, so must the others be."""
    add_rules(silo_files[3], min_silos=4)
    coordinator = enclosed()
    coordinator.start()
    assert coordinator.host.needed == 4
    terms = EnclaveParty.terms
    monkeypatch.setattr(EnclaveParty, "terms", lambda *given: replace(terms(*given), needed=3))

    with pytest.raises(SiloRefused, match=r"silo-1 does not take part: OutOfOrder: .* fewest silos in a sum"):
        coordinator.host.attest()


def kill_enclave(coordinator: Enclosed) -> None:
    """From outside, as the machine's own memory pressure would; nobody tells the coordinator."""
    enclave = coordinator.host._enclave
    assert enclave is not None
    enclave.close()


def test_an_enclave_that_died_between_sums_is_replaced_and_attested_again(enclosed: Make) -> None:
    coordinator = enclosed(secure_aggregation="masks")
    plan = coordinator.start()
    first = coordinator.sum(plan)
    kill_enclave(coordinator)

    second = coordinator.sum(plan, number=2)

    assert units_in(first) == units_in(second) == 4 * STORES
    assert len({shown.document for shown in coordinator.shown}) == 2


@pytest.mark.parametrize("kind", [CONTRIBUTE, UNMASK])
def test_a_sum_in_an_enclave_that_dies_is_lost_and_the_next_is_not(enclosed: Make, kind: str) -> None:
    coordinator = enclosed(secure_aggregation="masks")
    plan = coordinator.start()

    def die(reply: Message) -> RecordDict:
        kill_enclave(coordinator)
        return reply.content

    coordinator.grid.tampered = {(FOUR, kind): die}
    with pytest.raises(SumLost):
        coordinator.sum(plan)

    coordinator.grid.tampered = {}
    assert units_in(coordinator.sum(plan, number=2)) == 4 * STORES
