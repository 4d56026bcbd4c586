"""What the documents say is true: commands run, settings are those of the code, links lead somewhere."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mixroom.cli import app, main
from privacy.run_terms import SHARES_AFTER_SCALES
from simulations.scenario import load_scenario
from simulations.world import make_world
from simulations.world_files import write_world
from tests import settings_page

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("privacy", "mmm_models", "clients", "server", "cleanroom", "simulations")
DOCUMENTS = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("[!.]*/README.md")]
)
NAMES = [str(path.relative_to(REPOSITORY)) for path in DOCUMENTS]
TINY = """
name = "tiny"
silos = 3
units_per_silo = 200
weeks = 60
holdout_weeks = 12
channels = [
  { name = "tv", sales_share = 0.1, spend_share = 0.05 },
  { name = "search", sales_share = 0.08, spend_share = 0.04 },
]
"""


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of that language, indented ones too."""
    pattern = rf"^([ ]*)```{language}\n(.*?)^\1```$"
    return [match[1] for match in re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)]


def commands(text: str) -> list[list[str]]:
    """Every `mixroom ...` line of any block or inline code, as arguments."""
    lines = [line.strip() for block in blocks(text, "[a-z]*") for line in block.splitlines()]
    lines += re.findall(r"`(mixroom [a-z][^`]*)`", text)
    return [shlex.split(line, comments=True)[1:] for line in lines if re.match(r"mixroom [a-z]", line)]


def known_words(arguments: list[str]) -> list[str]:
    """The command and the flags of `arguments`; fails when the command line does not know them."""
    group = typer.main.get_group(app)
    command, rest = group.commands[arguments[0]], arguments[1:]
    if isinstance(command, typer.core.TyperGroup) and rest and not rest[0].startswith("."):
        command, rest = command.commands[rest[0]], rest[1:]
    flags = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    used = [word.split("=")[0] for word in rest if word.startswith("--") and len(word) > 2]
    return [flag for flag in used if flag not in {*flags, "--help"}]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_commands_in_documents_exist_with_their_flags(path):
    for arguments in commands(path.read_text(encoding="utf-8")):
        assert known_words(arguments) == [], arguments


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_named_files_exist(path):
    """Paths in backticks that begin with a package or docs."""
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:docs|tests|mixroom|" + "|".join(PACKAGES) + r")/[\w./*-]+)`", text):
        assert list(REPOSITORY.glob(name)), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_no_document_knows_this_machine(path):
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"/(?:home|root|work|tmp|Users)/\S*|\bissue #?\d+|\.\./shared", text) == []


def test_settings_page_is_as_the_code_says():
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), (
        "run `python -m tests.settings_page`"
    )


def test_every_page_is_linked_from_the_readme():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")

    pages = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert {page for page in pages if f"docs/{page}" not in text} == set()


def test_every_command_is_documented():
    group = typer.main.get_group(app)
    names = {f"mixroom {name}" for name in group.commands}
    for name in ("silo", "room", "enclave"):
        commands_of = group.commands[name]
        assert isinstance(commands_of, typer.core.TyperGroup)
        names |= {f"mixroom {name} {command}" for command in commands_of.commands}
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)

    assert {name for name in names if name not in text} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_readme_is_short_and_names_every_file(package):
    text = (REPOSITORY / package / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) < 60
    patterns = re.findall(r"`([\w*./]+?\.py|[\w]+/)`", text)
    named = {path for pattern in patterns for path in (REPOSITORY / package).glob(pattern)}
    files = set((REPOSITORY / package).glob("[!_]*.py"))
    assert {path.name for path in files - named} == set()


@pytest.mark.parametrize("package", [*PACKAGES, "mixroom"])
def test_every_error_says_what_it_means_and_takes_a_hint(package):
    for path in (REPOSITORY / package).rglob("errors.py"):
        classes = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ClassDef)]
        assert [c.name for c in classes if not ast.get_docstring(c)] == []
        roots = [ast.unparse(c) for c in classes if [ast.unparse(base) for base in c.bases] == ["Exception"]]
        assert len(roots) == 1
        assert "hint: str" in roots[0]


def test_the_settings_page_documents_every_environment_variable():
    source = "\n".join(
        path.read_text("utf-8") for p in (*PACKAGES, "mixroom") for path in (REPOSITORY / p).rglob("*.py")
    )
    text = settings_page.PAGE.read_text(encoding="utf-8")

    assert set(re.findall(r'"(MIXROOM_[A-Z_]+)"', source)) == set(re.findall(r"`(MIXROOM_[A-Z_]+)`", text))


def test_the_threat_model_states_the_budgets_shares():
    text = (REPOSITORY / "docs" / "threat-model.md").read_text(encoding="utf-8")
    stated = [int(percent) for percent in re.findall(r"^\| [^|]+ \| (\d+) % \| ", text, flags=re.MULTILINE)]

    assert stated == [round(100 * share) for share in SHARES_AFTER_SCALES.values()]
    assert sum(stated) == 100


@pytest.fixture
def tiny_world(tmp_path, monkeypatch):
    """A tiny world where the README's commands find their files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    write_world(make_world(load_scenario("tiny.toml")), tmp_path / "my-world")
    return tmp_path


@pytest.mark.slow
def test_the_readmes_commands_run_in_order(tiny_world, capsys):
    """On a tiny world instead of a large one, with two rounds."""
    (block,) = blocks((REPOSITORY / "README.md").read_text(encoding="utf-8"), "sh mixroom")
    lines = [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("mixroom ")]
    assert [line[0] for line in lines][:2] == ["world", "silo"]

    for arguments in lines:
        small = ["tiny.toml" if word == "default" else word for word in arguments]
        small += {"train": ["--rounds", "2"], "fit": ["--steps", "3"], "compare": ["--rounds", "2"]}.get(
            small[0], []
        )
        with pytest.raises(SystemExit) as left:
            main(small)
        assert left.value.code == 0, (arguments, capsys.readouterr().err)


@pytest.mark.slow
def test_the_readmes_python_runs(tiny_world):
    (block,) = blocks((REPOSITORY / "README.md").read_text(encoding="utf-8"), "python")

    ran = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tiny_world,
        env={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in ran.stderr.splitlines() if not line.startswith("mixroom: round ")] == []
    assert ran.stdout.startswith("tv ")
    assert (tiny_world / "contributions.svg").read_text(encoding="utf-8").startswith("<svg")
    assert len(block.strip().splitlines()) <= 10
