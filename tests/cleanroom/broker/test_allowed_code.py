"""Which programs a party's wishes allow."""

from __future__ import annotations

import pytest

from cleanroom.broker.allowed_code import CodeRules, InstalledCode
from cleanroom.errors import HomeUnusable
from tests.cleanroom.broker.broker_room import BrokerRoom

FULL, REDUCED, OTHER = "f" * 96, "d" * 96, "0" * 96
INSTALLED = InstalledCode(FULL, REDUCED)
ROOT = b"a root"


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (CodeRules(), {FULL}),
        (CodeRules(reduced=True), {FULL, REDUCED}),
        (CodeRules(measurements=(OTHER,)), {FULL, OTHER}),
    ],
)
def test_the_installations_own_program_is_allowed_and_what_the_party_adds(
    rules: CodeRules, allowed: set[str]
) -> None:
    policy = rules.policy(INSTALLED, ROOT)
    assert policy.measurements == allowed
    assert (policy.roots, policy.production) == ((ROOT,), False)


def test_an_installation_that_could_not_be_measured_allows_nothing() -> None:
    assert CodeRules(reduced=True).policy(InstalledCode("", ""), ROOT).measurements == frozenset()


def test_rules_are_kept_as_they_were_written(room: BrokerRoom) -> None:
    rules = CodeRules((OTHER,), reduced=True, production=True)
    room.home.allow(rules, now=room.now)
    assert room.home.code_rules == rules
    kind, body = room.logged()[-1]
    assert (kind, body["measurements"], body["reduced"]) == ("code rules", [OTHER], True)


def test_rules_that_others_may_have_changed_are_not_used(room: BrokerRoom) -> None:
    room.home.allow(CodeRules(), now=room.now)
    (room.folder / "broker" / "allowed.json").chmod(0o666)
    with pytest.raises(HomeUnusable):
        room.broker.answer(room.request(room.statement()))


@pytest.mark.parametrize("text", ["", "0" * 95, "F" * 96, "g" * 96, "0" * 97])
def test_what_is_no_measurement_is_refused(text: str) -> None:
    with pytest.raises(HomeUnusable, match="96 hexadecimal digits"):
        CodeRules((text,))
