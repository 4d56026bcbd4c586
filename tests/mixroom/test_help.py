"""Help: one screen, an example at its end, and no waiting for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mixroom.cli import app
from tests.mixroom.terminal import run_process

GROUP = typer.main.get_group(app)
COMMANDS = [
    (), ("demo",), ("fit",), ("train",), ("report",), ("explain",), ("plan",), ("what-if",), ("serve",),
    ("uplift",), ("world",), ("compare",),
    ("silo",), ("silo", "check"), ("silo", "key"), ("silo", "pin"), ("silo", "budget"), ("silo", "pin-enclave"),
    ("key-holder",), ("key-holder", "create"), ("key-holder", "key"), ("key-holder", "pin"),
    ("room",), ("room", "create"), ("room", "invite"), ("room", "accept"), ("room", "proposals"), ("room", "approve"),
    ("room", "hash"), ("room", "rules"), ("room", "upload"), ("room", "delete"), ("room", "audit"), ("room", "keys"),
    ("room", "query"), ("room", "dry-run"), ("room", "templates"), ("room", "budget"), ("room", "match"),
    ("room", "verify-release"), ("room", "serve"), ("room", "demo"), ("room", "replay"),
    ("room", "broker"), ("room", "broker-log"), ("room", "rotate-key"), ("enclave",), ("enclave", "measure"),
    ("enclave", "root"), ("lab",), ("lab", "papers"),
]  # fmt: skip


def test_every_command_is_among_those_tested_here():
    names: set[tuple[str, ...]] = {(name,) for name in GROUP.commands}
    for name in ("silo", "key-holder", "room", "enclave", "lab"):
        group = GROUP.commands[name]
        assert isinstance(group, typer.core.TyperGroup)
        names |= {(name, command) for command in group.commands}

    assert names | {()} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_a_screen_and_ends_with_an_example(terminal, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")

    seen = terminal(*command, "--help")

    lines = seen.out.splitlines()
    assert (seen.code, seen.err) == (0, "")
    assert len(lines) <= 32
    assert max(map(len, lines)) <= 100
    assert lines[-2] == "  Example:"
    assert lines[-1].startswith("    mixroom " + " ".join(command))
    assert "\\[" not in seen.out


def test_exit_codes_are_documented_in_the_help(terminal):
    text = " ".join(terminal("--help").out.split())

    assert (
        "0 done, 1 refused or failed, 2 wrong usage, 130 interrupted, 141 the reader of a pipe left" in text
    )


def test_no_command_shows_the_help_on_stderr(terminal):
    seen = terminal()

    assert (seen.out, seen.code) == ("", 2)
    assert "Example:\n    mixroom demo" in seen.err


def test_an_unknown_command_names_the_nearest(terminal):
    error, hint = terminal.refused("trian", code=2)

    assert error == "No such command 'trian'. Did you mean 'train'?"
    assert hint == "see `mixroom --help`"


def test_an_unknown_option_names_the_nearest_and_the_help_of_its_command(terminal):
    error, hint = terminal.refused("train", "a.toml", "--out", "x", "--epsilom", "8", code=2)

    assert "--epsilom" in error
    assert "--epsilon" in error
    assert hint == "see `mixroom train --help`"


@pytest.mark.parametrize("arguments", ["--help", "silo check --help", "train --help", "room query --help"])
def test_help_loads_neither_torch_nor_flower(arguments, repository):
    program = (
        "import sys\nfrom mixroom.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print({'torch', 'flwr', 'opacus', 'pandas'} & set(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, *arguments.split()]

    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)

    assert ran.stderr.strip() == "set()"


def test_python_m_mixroom_is_the_same_command(tmp_path: Path):
    seen = run_process("silo", "chek", "x", folder=tmp_path)

    assert (seen.out, seen.code) == ("", 2)
    assert re.fullmatch(
        r"error: No such command 'chek'.*'check'\?\nhint: see `mixroom silo --help`\n", seen.err
    )
