"""The lines of an owner's broker log in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cleanroom.broker.release_log import Entry

SHOWN_DIGITS = 16  # of a digest


class LogFollower:
    """What is written to a log from now on. The broker that writes it verifies it; here it is only told."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size

    def news(self) -> Iterator[str]:
        """Each whole line since the last time, in words."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole, _, _ = fresh.rpartition(b"\n")
        self._read += len(whole) + bool(whole)
        for line in whole.splitlines():
            record = json.loads(line)
            yield in_words(record["kind"], record["body"])


def in_words(kind: str, body: Mapping[str, Any]) -> str:
    """One line of the log as a sentence without its point."""
    match kind:
        case Entry.RELEASED:
            return _released(body)
        case Entry.REFUSED:
            return _refused(body)
        case Entry.UNWRITTEN:
            return "refused more within this minute than are written down"
        case Entry.COMMITTED:
            question = f"query {body['query_id']} of {body['asker']}" if "query_id" in body else "a query"
            return f"confirmed {question}: the record of releases is now {body['next'][:SHOWN_DIGITS]}"
        case Entry.KEPT:
            return f"kept the key of {body['dataset']} {body['version']}"
        case Entry.DESTROYED:
            return f"destroyed the key of {body['dataset']} {body['version']}: {body['why']}"
        case Entry.ROTATED:
            return f"wrapped {body['rewrapped']} keys anew, by {body['wrapped_by']}"
        case Entry.CONSENT:
            return _consent(body["paused"])
        case Entry.CODE:
            return _code(body)
        case Entry.REPAIRED:
            return "cut off a line that was not finished when its writer ended"
    return kind


def _released(body: Mapping[str, Any]) -> str:
    question = f"query {body['query_id']} of {body['asker']}"
    stated, charge = body["stated"], body["stated"]["charge"]
    if stated["reuse"]:
        return f"{question} shows numbers that were released before: no key of a table was needed"
    price = f"epsilon {charge['epsilon']:g}" if charge["epsilon"] else "no epsilon"
    tables = ", ".join(body["charge"]["datasets"])
    return (
        f"gave the key of {tables} for {question}, {stated['mode']} protection, {price}, to a worker that measures "
        f"{body['measurement'][:SHOWN_DIGITS]}"
    )


def _refused(body: Mapping[str, Any]) -> str:
    what = "to confirm" if body["for"] == "commit" else "keys for"
    question = (
        f"query {body['query_id']} of {body['asker']}" if "query_id" in body else "something unreadable"
    )
    unwritten = body.get("unwritten")
    before = f"; {unwritten} refusals before it were not written down" if unwritten else ""
    return f"refused {what} {question}: {'; '.join(item['message'] for item in body['reasons'])}{before}"


def _consent(paused: list[str]) -> str:
    if not paused:
        return "gives keys again for every table"
    return f"gives no keys at present for {'any table' if '*' in paused else ', '.join(paused)}"


def _code(body: Mapping[str, Any]) -> str:
    others = [one[:SHOWN_DIGITS] for one in body["measurements"]]
    return ", ".join(
        [
            "gives keys to this installation's worker",
            *(["also with reduced isolation"] if body["reduced"] else []),
            *([f"also to {', '.join(others)}"] if others else []),
            *(["not under an emulated root"] if body["production"] else []),
        ]
    )
