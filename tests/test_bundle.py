"""What `flwr run` sends to every silo: the Python files of four folders, and nothing else.

Flower's own default is every file of the tree, keys and data included.
"""

import io
import shutil
import tomllib
import zipfile
from pathlib import Path

import pytest
from flwr.cli.build import build_fab_from_disk
from flwr.cli.config_utils import load_and_validate

BUNDLED_FOLDERS = ("server", "clients", "mmm_models", "privacy")

# What a careless afternoon leaves in a checkout: inside and outside the bundled folders.
STRAY_FILES = (
    "silo.toml",
    "secrets.json",
    "data/north.csv",
    "clients/silo.toml",
    "clients/notes.md",
    "clients/ledger.json",
    "server/panel.csv",
    "server/signing.key",
    "server/token.yaml",
    "mmm_models/export.parquet",
    "privacy/silo.pem",
    "simulations/answers.py",
)


@pytest.fixture(scope="module")
def bundled_files(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names in the bundle that `flwr build` makes of this checkout with stray files in it."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", ".gitignore", "LICENSE"):
        shutil.copy(repository / name, checkout / name)
    for folder in BUNDLED_FOLDERS:
        shutil.copytree(repository / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in STRAY_FILES:
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text("secret", encoding="utf-8")
    with zipfile.ZipFile(io.BytesIO(build_fab_from_disk(checkout))) as bundle:
        return set(bundle.namelist())


def test_bundle_holds_the_python_files_of_four_folders_and_nothing_else(
    repository: Path, bundled_files: set[str]
) -> None:
    python_files = {
        path.relative_to(repository).as_posix()
        for folder in BUNDLED_FOLDERS
        for path in (repository / folder).rglob("*.py")
    }

    assert bundled_files - {"pyproject.toml", ".info/CONTENT"} == python_files


def test_bundle_holds_no_stray_file(bundled_files: set[str]) -> None:
    assert bundled_files.isdisjoint(STRAY_FILES)


def test_bundle_stays_far_below_flowers_limit_of_1000_files(bundled_files: set[str]) -> None:
    assert len(bundled_files) < 400


def test_flower_accepts_the_configuration_without_a_warning(repository: Path) -> None:
    _, warnings = load_and_validate(repository / "pyproject.toml", check_module=False)

    assert warnings == []


def test_bundled_configuration_holds_flat_plain_values(repository: Path) -> None:
    """Flower's run config knows int, float, bool and str under dotted keys; it is no place for secrets."""
    config = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    run_config = config["tool"]["flwr"]["app"]["config"]
    secret_words = {"key", "secret", "password", "token", "url"}

    assert {type(value) for value in _leaves(run_config)} <= {int, float, bool, str}
    assert not secret_words & {word for name in run_config for word in name.replace("-", ".").split(".")}


def _leaves(table: dict[str, object]) -> list[object]:
    return [
        leaf for value in table.values() for leaf in (_leaves(value) if isinstance(value, dict) else [value])
    ]
