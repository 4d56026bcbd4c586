"""`mixroom room ...` as people use it: three parties found, join, agree, upload, ask and verify."""

import json
from collections.abc import Iterator

import pytest

from cleanroom.partner.party_home import PartyHome
from tests.cleanroom.owners_brokers import with_broker
from tests.cleanroom.service.running_room import RunningRoom, running_room

RULES = """
dataset = "{name}"
[columns]
user_hash = {{ role = "identity" }}
region = {{ role = "dimension" }}
"""
# 160 in the north, 80 in the south: both above the smallest group of 50.
PEOPLE = [(f"ann{number}@example.com", "north" if number % 3 else "south") for number in range(240)]
BY_REGION = "SELECT region, COUNT(DISTINCT user_hash) AS people FROM crm GROUP BY region ORDER BY region"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    with running_room(tmp_path_factory.mktemp("service")) as room:
        yield room


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crm.csv").write_text(
        "email,region\n" + "".join(f"{email},{region}\n" for email, region in PEOPLE), encoding="utf-8"
    )
    (tmp_path / "crm.toml").write_text(RULES.format(name="crm"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def acme(service, terminal, here):
    """The founder's home."""
    code = service.founding_code().reveal()
    seen = terminal("room", "create", "Spring", "--as", "acme", "--url", service.url, "--code", code)
    assert seen.code == 0, seen.err
    return here / "room" / "acme"


@pytest.fixture
def crm(terminal, acme):
    """The founder's table is in the room, and its broker runs."""
    for arguments in (
        ("rules", "crm.toml"),
        ("hash", "crm.csv", "--column", "email", "--out", "hashed.csv"),
        ("upload", "hashed.csv", "--dataset", "crm"),
    ):
        seen = terminal("room", *arguments, "--home", acme)
        assert seen.code == 0, seen.err
    with with_broker(PartyHome(acme)):
        yield


def test_founding_prints_the_id_and_says_where_the_keys_are(service, terminal, here):
    code = service.founding_code().reveal()

    seen = terminal("room", "create", "Spring", "--as", "acme", "--url", service.url, "--code", code)

    assert seen.out.startswith("col-")
    assert "its keys are in room/acme, back them up" in seen.err
    assert "fingerprint SHA256:" in seen.err
    assert "attested under the root SHA256:" in seen.err


def test_an_invited_owner_joins_from_a_file_and_is_asked_about_the_next_one(terminal, acme, here):
    invited = terminal("room", "invite", "beta", "--role", "owner", "--home", acme)
    (here / "beta.invitation").write_text(invited.out, encoding="utf-8")

    joined = terminal("room", "accept", "beta.invitation", "--home", "room/beta")
    assert (joined.code, joined.out) == (
        0,
        json.loads((acme / "room.json").read_text())["collaboration"] + "\n",
    )

    waiting = terminal("room", "invite", "ana", "--role", "analyst", "--home", acme)
    assert (waiting.out, waiting.code) == ("", 0)
    assert "waits for beta" in waiting.err

    listed = terminal("room", "proposals", "--home", "room/beta", "--json")
    (proposal,) = [item["id"] for item in json.loads(listed.out) if item["state"] == "waiting"]
    approved = terminal("room", "approve", proposal, "--home", "room/beta")
    assert json.loads(approved.out) == {"member": "ana", "roles": ["analyst"], "fingerprint": ""}
    assert terminal("room", "invite", "ana", "--role", "analyst", "--home", acme).out.startswith("mrinvite1.")


def test_an_owner_hashes_uploads_asks_and_verifies(terminal, acme, crm, here):
    asked = terminal("room", "query", BY_REGION, "--out", "release.json", "--home", acme)

    assert asked.out.splitlines() == ["region  people", "north      160", "south       80"]
    assert "numbers of fewer than 50 people" in asked.err

    verified = terminal("room", "verify-release", "release.json", "--home", acme)
    assert "proved: signed by a worker that the root SHA256:" in verified.out
    assert ", this installation's\n" in verified.out
    assert "does not protect against the root of the machine it ran on" in verified.out


def test_a_changed_release_is_not_genuine(terminal, acme, crm, here):
    terminal("room", "query", BY_REGION, "--out", "release.json", "--home", acme)
    release = json.loads((here / "release.json").read_text())
    release["body"]["result"]["rows"][0][1] += 1
    (here / "release.json").write_text(json.dumps(release))

    error, hint = terminal.refused("room", "verify-release", "release.json", "--home", acme, code=1)

    assert error == "this release is not genuine: its signature is not that of the attested worker"
    assert hint.startswith("do not use it")


def test_a_query_comes_from_a_file_and_leaves_as_csv(terminal, acme, crm, here):
    (here / "question.sql").write_text(BY_REGION, encoding="utf-8")

    seen = terminal("room", "query", "question.sql", "--csv", "--home", acme)

    assert seen.out == "region,people\nnorth,160\nsouth,80\n"


def test_a_refusal_lists_every_reason_with_its_fix(terminal, acme, crm):
    error, hint = terminal.refused("room", "query", "SELECT user_hash FROM crm", "--home", acme, code=1)

    assert error.startswith(
        "the query may not be asked, for 1 reason; no data were touched and nothing was charged (1) "
    )
    assert "dry-run" in hint


def test_a_dry_run_charges_nothing(terminal, acme, crm):
    seen = terminal("room", "dry-run", BY_REGION, "--home", acme)

    assert seen.out.splitlines()[:2] == ["allowed on crm, threshold mode", "price: epsilon 0, delta 0"]
    assert json.loads(terminal("room", "budget", "--json", "--home", acme).out)[0]["queries_today"] == 0


def test_a_template_of_ones_own_is_proposed_listed_and_asked(terminal, acme, crm, here):
    (here / "region.sql").write_text(
        "SELECT COUNT(DISTINCT user_hash) AS people FROM crm WHERE region = :region", encoding="utf-8"
    )

    proposed = terminal("room", "templates", "--propose", "in_region", "--file", "region.sql", "--home", acme)
    assert "template in_region is effective" in proposed.err

    listed = terminal("room", "templates", "--home", acme).out.splitlines()
    assert listed[0] == "in_region              approved  in_region"
    assert any(line.startswith("overlap                built in  ") for line in listed)

    asked = terminal(
        "room", "query", "--template", "in_region", "--parameter", "region=south", "--home", acme
    )
    assert asked.out == "people\n80\n"


def test_a_built_in_template_needs_the_tables_that_it_reads(terminal, acme, crm):
    error, _ = terminal.refused("room", "templates", "--propose", "last_touch", "--home", acme, code=1)

    assert error == "the template reads no dataset of this collaboration"


def test_the_audit_log_is_verified_on_this_machine(terminal, acme, crm):
    seen = terminal("room", "audit", "--verify", "--home", acme)

    sequence, digest = seen.out.split()
    assert int(sequence) >= 5
    assert len(digest) == 64
    assert "unbroken" in seen.err


def test_destroying_a_table_needs_a_yes_and_leaves_a_commitment(terminal, acme, crm):
    assert terminal.refused("room", "delete", "crm", "--home", acme, code=2)[1] == "add --yes"

    seen = terminal("room", "delete", "crm", "--yes", "--home", acme)

    assert len(seen.out.strip()) == 64
    error, _ = terminal.refused("room", "query", BY_REGION, "--home", acme, code=1)
    assert error == "dataset crm has no table at the moment"


def test_a_rotated_key_is_used_from_now_on(terminal, acme):
    before = (acme / "api.key").read_text()

    assert terminal("room", "keys", "--rotate", "--home", acme).code == 0
    assert (acme / "api.key").read_text() != before
    assert terminal("room", "keys", "--home", acme).out.count("ended") == 1


def test_the_only_home_is_found_and_two_must_be_named(terminal, acme, here):
    assert terminal("room", "proposals").code == 0

    other = here / "room" / "beta"
    other.mkdir()
    (other / "room.json").write_text("{}", encoding="utf-8")
    error, hint = terminal.refused("room", "proposals", code=2)
    assert error == "there are 2 parties' homes in ./room"
    assert "MIXROOM_ROOM_HOME" in hint


def test_a_table_that_does_not_fit_its_rules_is_refused_with_counts_and_never_sent(terminal, acme, here):
    terminal("room", "rules", "crm.toml", "--home", acme)

    error, _ = terminal.refused("room", "upload", "crm.csv", "--dataset", "crm", "--home", acme, code=1)

    assert "user_hash" in error
    assert "@" not in error


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("rules",), "name a document, or --show"),
        (("query", "SELECT 1", "--template", "x"), "give SQL, a file or -, or else --template"),
        (("query", "SELECT :a", "--parameter", "a"), "a is not name=value"),
        (("invite", "x", "--role", "king"), "--role king is none of owner, analyst, auditor"),
        (("serve", "--data", "d", "--host", "0.0.0.0"), "without a certificate only a loopback address"),
        (("serve", "--data", "d", "--isolation", "none"), "'none' is not one of 'full', 'reduced'"),
        (("broker", "--pause", "--resume"), "give --pause or --resume"),
        (("broker", "--dataset", "crm"), "give --pause or --resume"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(terminal, here, arguments, error):
    told, _ = terminal.refused("room", *arguments, code=2)

    assert error in told


def test_mistakes_are_told_before_anything_is_asked_or_sent(terminal, crm, acme):
    for arguments, told in (
        (("approve", "pro-xyz"), "pro-xyz is not a proposal's id"),
        (("query", "nofile.sql"), "there is no file nofile.sql"),
        (("query", BY_REGION, "--out", "none/release.json"), "nothing was asked"),
    ):
        seen = terminal("room", *arguments, "--home", acme)
        assert (seen.code, seen.out) == (2, "")
        assert told in seen.err
        assert seen.err.count("\n") == 2

    assert (
        json.loads(terminal("room", "audit", "--json", "--home", acme).out)[-1]["action"] == "manifest signed"
    )


def test_a_wrong_code_a_used_invitation_and_a_missing_table_name_themselves(service, terminal, acme, here):
    invited = terminal("room", "invite", "ana", "--role", "analyst", "--home", acme)
    terminal("room", "accept", invited.out.strip(), "--home", "room/ana")

    again = terminal("room", "accept", invited.out.strip(), "--home", "room/other")
    wrong = terminal(
        "room", "create", "S", "--as", "b", "--url", service.url, "--code", "x", "--home", "room/b"
    )
    terminal("room", "rules", "crm.toml", "--home", acme)
    missing = terminal("room", "upload", "none.csv", "--dataset", "crm", "--home", acme)

    assert [seen.code for seen in (again, wrong, missing)] == [1, 1, 1]
    assert "the invitation is used up" in again.err
    assert "the founding code is wrong, used up or expired" in wrong.err
    assert "none.csv cannot be opened: No such file or directory" in missing.err


def test_a_proposal_is_read_before_it_is_signed(terminal, acme):
    proposal = terminal("room", "rules", "crm.toml", "--home", acme).out.strip()

    shown = terminal("room", "proposals", proposal, "--home", acme)

    assert json.loads(shown.out)["document"]["dataset"] == "crm"
