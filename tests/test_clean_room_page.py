"""docs/clean-room.md is true: its commands run in order, its SQL is judged as it says, no setting is missing."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from cleanroom.errors import QueryRefused
from cleanroom.partner.broker_loop import CONNECTED
from cleanroom.query.reader import read_query
from cleanroom.query.template_library import BUILT_IN
from cleanroom.rules.analysis_rule import Column, DpTerms, Mode, Role, Rule, RuleDocument
from cleanroom.rules.rule_check import Question, check
from cleanroom.worker.release_document import notice
from mixroom.cli import app
from privacy.enclave.isolation import Isolation
from simulations.partner_files import write_partner_world
from simulations.partner_rules import rule_document
from simulations.partner_world import PartnerWorldSpec, make_partner_world
from simulations.room_service import running_service
from tests.mixroom.terminal import Terminal
from tests.test_documentation import blocks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "clean-room.md"
TEXT = PAGE.read_text(encoding="utf-8")
CATALOG = {
    document.dataset: document
    for document in (rule_document(f"{name}.rules.toml") for name in ("exposures", "conversions", "crm"))
}
SECTIONS = {RuleDocument: "## Rules of a dataset", Column: "### `[columns.NAME]`", Rule: "### `[rule]`"}
SECTIONS |= {DpTerms: "### `[rule.dp]`"}


def setting_rows(heading: str) -> dict[str, str]:
    """Setting and default of the first table with settings below a heading."""
    below = TEXT.split(f"{heading}\n", 1)[1]
    table = below.split("| setting | default | meaning |\n|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0].strip("`"): row[1].strip("`") for row in cells}


def said(default: Any) -> str:
    """A default as the page writes it."""
    if default is PydanticUndefined or isinstance(default, BaseModel):
        return ""
    if isinstance(default, tuple):
        return "all" if len(default) > 1 else str(list(default)).replace("'", '"')
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f'"{default}"'
        if isinstance(default, str)
        else "none"
        if default is None
        else f"{default}"
    )


def reasons(sql: str) -> list[str]:
    """Codes of everything the demo's rules have against a question."""
    try:
        verdict = check(Question(read_query(sql, CATALOG), "agency"), CATALOG)
    except QueryRefused as error:
        return [reason.code for reason in error.reasons]
    return [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize("spec", SECTIONS, ids=lambda spec: spec.__name__)
def test_every_setting_of_the_rules_is_there_with_its_default(spec):
    """Were a setting to be added or its default to change, the page must say so."""
    assert setting_rows(SECTIONS[spec]) == {
        name: said(field.default) for name, field in spec.model_fields.items()
    }


def test_every_role_is_explained():
    assert {role.value for role in Role} == set(re.findall(r"^\| `(\w+)` \| [a-z]", TEXT, re.MULTILINE)) & {
        role.value for role in Role
    }


def test_the_document_shown_is_one():
    (document,) = blocks(TEXT, "toml")

    parsed = RuleDocument.parse(document)
    assert (parsed.dataset, parsed.rule.min_group_size, parsed.rule.largest_share) == ("conversions", 50, 0.2)


@pytest.mark.parametrize("sql", blocks(TEXT, "sql allowed"))
def test_the_sql_that_works_works_under_the_demos_rules(sql):
    assert reasons(sql) == []


@pytest.mark.parametrize(
    ("sql", "code"), re.findall(r"^\| `(SELECT [^`]+)` \| .* \| `(\w+)` \|$", TEXT, re.MULTILINE)
)
def test_the_sql_that_is_refused_is_refused_for_that_reason(sql, code):
    assert code in reasons(sql)


def test_every_built_in_template_is_on_the_page():
    listed = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", TEXT.split("| template | gives |")[1], re.MULTILINE)

    assert listed[: len(BUILT_IN)] == [template.name for template in BUILT_IN]


def test_the_announcement_is_quoted_word_for_word():
    quoted = re.sub(r"\n> ", " ", TEXT)

    assert notice(Mode.THRESHOLD, 50) in quoted


def test_every_room_command_is_on_the_page():
    import typer

    room = typer.main.get_group(app).commands["room"]
    assert isinstance(room, typer.core.TyperGroup)

    assert [name for name in room.commands if f"mixroom room {name}" not in TEXT] == []


@contextmanager
def connected(words: list[str]) -> Iterator[None]:
    """A broker in a process of its own, as a shell leaves it in the background."""
    surroundings = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    command = [sys.executable, "-m", "mixroom", *words]
    with subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"mixroom: {CONNECTED}\n"
            yield
        finally:
            process.kill()


@pytest.mark.slow
def test_the_story_runs_in_order(tmp_path, monkeypatch, capsys):
    """From founding to destroying, each command as a person would type it, against a real service."""
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(capsys)
    write_partner_world(make_partner_world(PartnerWorldSpec(people=3000)), Path("runs/room-demo/partners"))
    lines = [line for block in blocks(TEXT, "sh room") for line in block.splitlines()]
    proposal = ""

    with (
        running_service(
            tmp_path / "room-service", tmp_path / "service.log", isolation=Isolation.FULL
        ) as service,
        ExitStack() as background,
    ):
        replaced = {"CODE": service.founding_code.reveal(), "http://127.0.0.1:8400": service.url}
        for line in lines:
            command, _, target = line.partition(" > ")
            words = [replaced.get(word, word) for word in shlex.split(command)[1:]]
            if words[-1] == "&":
                background.enter_context(connected(words[:-1]))
                continue
            seen = terminal(*[proposal if word == "PROPOSAL" else word for word in words])
            assert seen.code == 0, (line, seen.err)
            if target:
                Path(target).write_text(seen.out, encoding="utf-8")
            if "waiting" in seen.out:
                (proposal,) = re.findall(r"^(pro-\w+) .* waiting", seen.out, re.MULTILINE)
            if "match" in words:
                assert re.fullmatch(r"conversions: \d+\n", seen.out)
            if "query" in words:
                assert [row.split()[0] for row in seen.out.splitlines()[1:]] == [
                    "lapsed",
                    "loyal",
                    "new",
                    "prospect",
                ]
    assert len(lines) == 26
