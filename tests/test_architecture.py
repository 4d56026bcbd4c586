"""The house rules that a program can check: who may import whom, what files are called, what stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EVERYTHING_BELOW = frozenset({"privacy", "mmm_models", "clients", "server", "cleanroom", "simulations"})

# Package -> the siblings it may import. Nothing imports `mixroom`.
SIBLINGS = {
    "privacy": frozenset[str](),
    "mmm_models": frozenset[str](),
    "clients": frozenset({"privacy", "mmm_models"}),
    "server": frozenset({"privacy", "mmm_models"}),
    "cleanroom": frozenset({"privacy"}),
    "simulations": EVERYTHING_BELOW - {"simulations"},
    "mixroom": EVERYTHING_BELOW,
}

# Third party -> the files and folders (ending in a slash) that may import it.
FENCES = {
    "cryptography": ("privacy/",),
    "cbor2": ("privacy/enclave/",),
    "pyseccomp": ("privacy/enclave/seccomp_filter.py",),
    "phe": ("privacy/",),
    "gmpy2": ("privacy/",),
    "fastapi": ("cleanroom/service/", "server/model_service.py"),
    "opendp": ("privacy/mechanisms.py",),
    # Analysts' text is understood in one place and the engine is reached from few.
    "sqlglot": ("cleanroom/query/",),
    "duckdb": (
        "cleanroom/engine/",
        "cleanroom/release/",
        "cleanroom/worker/",
        "cleanroom/datasets/opened_table.py",
    ),
    "opacus": ("privacy/dp_sgd.py",),
    "flwr": (
        "server/app.py",
        "server/robust_aggregation.py",
        "server/silo_exchange.py",
        "server/silo_link.py",
        "clients/app.py",
        "privacy/wire.py",
        "simulations/",
    ),
}

# The only files of `privacy` that may bring torch in; all others run where torch is not installed.
PRIVACY_FILES_WITH_TORCH = frozenset({"dp_sgd", "per_unit_gradients"})

NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "common", "helpers", "helper", "manager", "base"})
UNCHECKED_FOLDERS = frozenset({"tests", "benchmarks"})


def package_files(root: Path) -> Iterator[Path]:
    """Every Python file of every package below `root`, paths relative to it."""
    for package in SIBLINGS:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root)


def imported_modules(source: str, module: Path) -> Iterator[str]:
    """Dotted names that `module` imports anywhere in it, dynamic imports of a literal included."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=name, level=0):
                yield name or ""
            case ast.ImportFrom(module=name, level=level):
                package = module.parent.parts[: len(module.parent.parts) - level + 1]
                yield ".".join([*package, *([name] if name else [])])
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(func) in {"importlib.import_module", "import_module", "__import__"}:
                    yield name


def forbidden_imports(root: Path) -> list[str]:
    """`file imports module` for every edge that the two tables above do not allow."""
    found = []
    for path in package_files(root):
        own = path.parts[0]
        for name in imported_modules((root / path).read_text(encoding="utf-8"), path):
            top = name.partition(".")[0]
            is_sibling = top in SIBLINGS or top in UNCHECKED_FOLDERS
            if is_sibling and top != own and top not in SIBLINGS[own]:
                found.append(f"{path} imports {name}")
            if top in FENCES and not path.as_posix().startswith(FENCES[top]):
                found.append(f"{path} imports {name}")
    return found


def poor_names(root: Path) -> list[str]:
    """Files and folders named after nothing, or after a module of the standard library."""
    found = set()
    for path in package_files(root):
        for name in (part.removesuffix(".py") for part in path.parts):
            if NAMES_THAT_SAY_NOTHING & set(name.split("_")) or name in sys.stdlib_module_names:
                found.add(f"{path}: {name}")
    return sorted(found)


def is_docstring_only(source: str) -> bool:
    body = ast.parse(source).body
    return len(body) == 1 and ast.get_docstring(ast.parse(source)) is not None


def test_imports_follow_the_layers_and_the_fences(repository: Path) -> None:
    assert forbidden_imports(repository) == []


def test_names_say_what_a_file_holds_and_shadow_nothing(repository: Path) -> None:
    assert poor_names(repository) == []


def test_every_folder_with_python_is_known_here(repository: Path) -> None:
    """A new top-level package must be given its place in the tables above."""
    with_python = {path.parent.name for path in repository.glob("[!.]*/*.py")}

    assert with_python - UNCHECKED_FOLDERS == set(SIBLINGS)


@pytest.mark.parametrize("package", sorted(SIBLINGS.keys() - {"mixroom"}))
def test_init_files_hold_a_docstring_only(repository: Path, package: str) -> None:
    """So that importing one module of a package never loads another."""
    inits = sorted((repository / package).rglob("__init__.py"))

    assert inits
    assert [str(path) for path in inits if not is_docstring_only(path.read_text(encoding="utf-8"))] == []


def test_front_door_holds_only_its_docstring_and_public_names(repository: Path) -> None:
    body = ast.parse((repository / "mixroom" / "__init__.py").read_text(encoding="utf-8")).body
    kinds = {type(node) for node in body[1:]}

    assert isinstance(body[0], ast.Expr)
    assert kinds <= {ast.ImportFrom, ast.Assign}


def test_privacy_without_dp_sgd_never_loads_torch(repository: Path) -> None:
    """A coordinator, an auditor and a clean-room enclave can load the cryptography on its own."""
    paths = sorted(path.relative_to(repository) for path in (repository / "privacy").rglob("*.py"))
    dotted = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
    names = [name for name in dotted if name.removeprefix("privacy.") not in PRIVACY_FILES_WITH_TORCH]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules: sys.exit(name + ' loads torch')\n"
        "print('light')"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=repository, capture_output=True, text=True, check=False
    )

    assert (ran.stdout.strip(), ran.stderr) == ("light", "")


def test_the_clean_room_loads_neither_torch_nor_flower_nor_pandas(repository: Path) -> None:
    """Its service and worker start in a blink, and an auditor of either reads no model code."""
    paths = sorted(path.relative_to(repository) for path in (repository / "cleanroom").rglob("*.py"))
    names = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if "migrations" not in path.parts
    ]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(sorted({'torch', 'flwr', 'pandas', 'opacus', 'mmm_models'} & set(sys.modules)))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=repository, capture_output=True, text=True, check=False
    )

    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


def test_the_process_that_serves_partners_never_opens_a_table(repository: Path) -> None:
    """Opening and running happen in the worker's process; the service only knows the interface."""
    served = sorted((repository / "cleanroom" / "service").rglob("*.py"))
    inside = {
        "cleanroom.worker.run_job",
        "cleanroom.datasets.opened_table",
        "cleanroom.release.release_stage",
    }
    found = [
        f"{path.name} imports {name}"
        for path in served
        for name in imported_modules(path.read_text(encoding="utf-8"), path.relative_to(repository))
        if name in inside
    ]

    assert found == []


@pytest.mark.parametrize(
    ("path", "source", "finding"),
    [
        ("privacy/wire.py", "import mmm_models.panel", "mmm_models.panel"),
        ("privacy/wire.py", "from server import rounds", "server"),
        ("mmm_models/network.py", "def load():\n    from privacy import wire", "privacy"),
        ("clients/app.py", "import server.app", "server.app"),
        ("clients/app.py", "import importlib\nimportlib.import_module('server.app')", "server.app"),
        ("cleanroom/release.py", "from mmm_models.panel import Panel", "mmm_models.panel"),
        ("simulations/world.py", "import mixroom", "mixroom"),
        ("server/rounds.py", "from tests.conftest import REPOSITORY", "tests.conftest"),
        ("server/rounds.py", "import flwr.serverapp", "flwr.serverapp"),
        ("clients/secure_update.py", "from cryptography.hazmat import primitives", "cryptography.hazmat"),
        ("privacy/accountant.py", "from opacus.accountants import RDPAccountant", "opacus.accountants"),
        ("server/rounds.py", "from ..clients import app", "clients"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, path: str, source: str, finding: str) -> None:
    _write(tmp_path / path, source)

    assert forbidden_imports(tmp_path) == [f"{path} imports {finding}"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("privacy/wire.py", "import flwr.app"),
        ("privacy/sealing.py", "import cryptography"),
        ("privacy/dp_sgd.py", "import opacus, torch"),
        ("clients/local_training.py", "from privacy import dp_sgd\nfrom . import errors"),
        ("mixroom/cli.py", "import simulations.demo, server.rounds"),
    ],
)
def test_an_allowed_import_is_not_reported(tmp_path: Path, path: str, source: str) -> None:
    _write(tmp_path / path, source)

    assert forbidden_imports(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["privacy/utils.py", "server/run_manager.py", "clients/common/x.py", "privacy/secrets.py"]
)
def test_a_poor_name_is_found(tmp_path: Path, path: str) -> None:
    _write(tmp_path / path, "")

    assert [finding.split(":")[0] for finding in poor_names(tmp_path)] == [path]


@pytest.mark.parametrize("source", ["", "import torch", '"""Doc."""\nimport torch', "x = 1"])
def test_an_init_file_with_more_than_a_docstring_is_found(source: str) -> None:
    assert not is_docstring_only(source)


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
