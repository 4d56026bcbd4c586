"""The broker's log in words: what an owner did with its keys, and what was refused, each in one line."""

import json
import re
from datetime import UTC, datetime

import pytest

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.broker.release_log import Entry, verify_release_log
from cleanroom.partner.broker_words import LogFollower, in_words
from tests.cleanroom.service.small_tables import uploaded

NOW = datetime(2026, 3, 2, tzinfo=UTC)
STATED = {"mode": "dp", "reuse": False, "charge": {"epsilon": 0.5, "delta": 1e-8}}
ASKED = {"query_id": "qry-abcdefgh23456722", "asker": "agency", "measurement": "f" * 96}


def test_what_an_owner_does_with_its_keys_is_told_in_words(service, tmp_path):
    home = service.founded(tmp_path)
    version = uploaded(tmp_path, home).version.id
    kept = BrokerHome(home.broker)
    kept.allow(CodeRules(("a" * 96,), reduced=True, production=True), now=NOW)
    kept.pause("crm", now=NOW)
    kept.resume("crm", now=NOW)
    wrapped_by = kept.rotate(now=NOW).identifier
    kept.destroy_key(version, now=NOW, why="its owner deleted it")

    told = [in_words(record.kind, record.body) for record in verify_release_log(home.broker_log)]

    assert told == [
        "started",
        f"kept the key of crm {version}",
        "gives keys to this installation's worker, also with reduced isolation, also to aaaaaaaaaaaaaaaa, "
        "not under an emulated root",
        "gives no keys at present for crm",
        "gives keys again for every table",
        f"wrapped 1 keys anew, by {wrapped_by}",
        f"destroyed the key of crm {version}: its owner deleted it",
    ]


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (
            Entry.RELEASED,
            {**ASKED, "stated": STATED, "charge": {"datasets": ["crm"]}},
            "gave the key of crm for query qry-abcdefgh23456722 of agency, dp protection, epsilon 0.5, "
            "to a worker that measures ffffffffffffffff",
        ),
        (
            Entry.RELEASED,
            {**ASKED, "stated": {**STATED, "reuse": True}, "charge": {"datasets": []}},
            "query qry-abcdefgh23456722 of agency shows numbers that were released before: "
            "no key of a table was needed",
        ),
        (
            Entry.REFUSED,
            {
                **ASKED,
                "for": "keys",
                "reasons": [{"code": "a", "message": "one"}, {"code": "b", "message": "two"}],
            },
            "refused keys for query qry-abcdefgh23456722 of agency: one; two",
        ),
        (
            Entry.REFUSED,
            {"for": "commit", "reasons": [{"code": "commit", "message": "none was granted"}]},
            "refused to confirm something unreadable: none was granted",
        ),
        (
            Entry.REFUSED,
            {"for": "commit", "unwritten": 7, "reasons": [{"code": "commit", "message": "none was granted"}]},
            "refused to confirm something unreadable: none was granted; "
            "7 refusals before it were not written down",
        ),
        (Entry.UNWRITTEN, {}, "refused more within this minute than are written down"),
        (
            Entry.COMMITTED,
            {"collaboration": "col-abcdefgh23456722", "previous": None, "next": "8" * 64},
            "confirmed a query: the record of releases is now 8888888888888888",
        ),
        (Entry.CONSENT, {"paused": ["*"]}, "gives no keys at present for any table"),
        (
            Entry.REPAIRED,
            {"removed": "x"},
            "cut off a line that was not finished when its writer ended",
        ),
    ],
)
def test_what_was_given_and_refused_is_told_in_words(kind, body, told):
    assert in_words(kind, body) == told


def test_only_whole_lines_that_came_since_are_told(tmp_path):
    path = tmp_path / "log.jsonl"

    def line(what: str) -> str:
        return json.dumps({"kind": "keys rotated", "body": {"rewrapped": 1, "wrapped_by": what}}) + "\n"

    path.write_text(line("old"), encoding="utf-8")
    follower = LogFollower(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(line("new") + line("half")[:20])
        file.flush()
        first = list(follower.news())
        file.write(line("half")[20:])
    second = list(follower.news())

    assert [re.findall("by (.*)", text) for text in (*first, *second)] == [["new"], ["half"]]
    assert list(follower.news()) == []
