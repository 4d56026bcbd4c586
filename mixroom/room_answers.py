"""Questions as people give them on the command line, and answers as they read them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixroom.errors import UsageError
from mixroom.output import say, table

if TYPE_CHECKING:
    from cleanroom.partner.room_questions import QuestionText
    from cleanroom.service.query_bodies import AnswerBody


@dataclass(frozen=True)
class GivenQuestion:
    """What stands on the command line: SQL, a file that holds it, or -; or a template's name; and raw values."""

    text: str
    template: str
    values: Mapping[str, str]
    epsilon: float

    @classmethod
    def read(cls, text: str, template: str, parameters: list[str] | None, epsilon: float) -> GivenQuestion:
        """Raises UsageError, before anything is sent."""
        if bool(text) == bool(template):
            raise UsageError(
                "give SQL, a file or -, or else --template", hint="see `mixroom room query --help`"
            )
        return cls(text, template, dict(map(_pair, parameters or ())), epsilon)

    def question(self, declared: Mapping[str, str]) -> QuestionText:
        """As it is asked. `declared`: what kinds of values an approved template takes; others are guessed."""
        from cleanroom.partner.room_questions import QuestionText

        values = {
            name: value if declared.get(name, "number") != "number" else _number_or_text(value)
            for name, value in self.values.items()
        }
        return QuestionText(_sql(self.text), self.template, values, self.epsilon)


def narrate(answer: AnswerBody) -> None:
    """What it cost, and what every answer says of withholding."""
    body = answer.release["body"]
    charge = body["charge"]
    if answer.cached:
        say("this question was answered before; nothing was charged")
    elif charge["epsilon"]:
        say(f"charged epsilon {charge['epsilon']:g}, delta {charge['delta']:g}")
    say(str(body["notice"]))


def shown(result: Mapping[str, Any], *, as_csv: bool) -> str:
    """The rows of a result."""
    header = [str(column["name"]) for column in result["columns"]]
    rows = [["" if value is None else str(value) for value in row] for row in result["rows"]]
    if not as_csv:
        return table(header, rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().rstrip("\n")


def _sql(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    is_file = "\n" not in text and len(text) < 255 and Path(text).is_file()
    if is_file:
        return Path(text).read_text(encoding="utf-8")
    if text and not any(letter.isspace() for letter in text):
        raise UsageError(f"there is no file {text:.80}, and it is not SQL either", hint="check the path")
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text:.40} is not name=value", hint="write --parameter since=2026-01-05")
    return name, value


def _number_or_text(value: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
