"""Which files count as the program: all that Python could run for it, and nothing else."""

from __future__ import annotations

import importlib.machinery
from pathlib import Path

import pytest

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.program_files import files_of
from privacy.errors import EnclaveUnavailable, InvalidSetting
from tests.privacy.enclave.small_installation import SmallInstallation

OWN_MODULES = [
    "guard/__init__.py",
    "guard/seal.py",
    "room/__init__.py",
    "room/late.py",
    "room/rules.py",
    "room/worker/__init__.py",
    "room/worker/__main__.py",
    "room/worker/job.py",
]


@pytest.fixture
def small(tmp_path: Path) -> SmallInstallation:
    return SmallInstallation.in_folder(tmp_path)


def own_modules(small: SmallInstallation) -> list[str]:
    return [name for name, _ in small.files().first_party]


def library_files(small: SmallInstallation) -> dict[str, list[str]]:
    return {library.name: [name for name, _ in library.files] for library in small.files().distributions}


def test_imports_are_followed_through_functions_packages_and_literal_names(small: SmallInstallation) -> None:
    assert own_modules(small) == OWN_MODULES


def test_libraries_are_those_imported_and_what_they_require_without_extras(small: SmallInstallation) -> None:
    assert library_files(small) == {
        "engine": ["engine/__init__.py", "engine/core.so", "engine/query.py"],
        "number-tools": ["numbers_.py"],
    }


def test_versions_are_told(small: SmallInstallation) -> None:
    assert [(library.name, library.version) for library in small.files().distributions] == [
        ("engine", "1.0"),
        ("number-tools", "2.1"),
    ]


def test_what_a_sandbox_has_to_show_is_named(small: SmallInstallation) -> None:
    files = small.files()

    assert files.roots == (small.site / "engine", small.site / "numbers_.py")


def test_a_package_put_in_front_of_a_module_is_taken_as_python_takes_it(small: SmallInstallation) -> None:
    small.write("room/rules/__init__.py", "")

    assert "room/rules/__init__.py" in own_modules(small)
    assert "room/rules.py" not in own_modules(small)
    found = importlib.machinery.PathFinder.find_spec("rules", [str(small.sources / "room")])
    assert found is not None
    assert found.origin == str(small.sources / "room/rules/__init__.py")


def test_an_extension_put_in_front_of_a_module_is_taken_as_python_takes_it(small: SmallInstallation) -> None:
    name = f"room/rules{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    small.write(name, "")

    assert name in own_modules(small)
    found = importlib.machinery.PathFinder.find_spec("rules", [str(small.sources / "room")])
    assert found is not None
    assert found.origin == str(small.sources / name)


def test_bytecode_counts_where_python_would_import_it(small: SmallInstallation) -> None:
    small.write("room/hidden.pyc", "")
    small.write("room/late.py", "import room.hidden")
    small.write("site/engine/hidden.pyc", "")

    assert "room/hidden.pyc" in own_modules(small)
    assert "engine/hidden.pyc" in library_files(small)["engine"]


def test_a_library_installed_behind_an_optional_import_counts(small: SmallInstallation) -> None:
    small.write("site/missing_library.py", "")
    small.write("site/missing-1.dist-info/METADATA", "Name: missing\nVersion: 1\n")
    small.write("site/missing-1.dist-info/RECORD", "missing_library.py,,\n")

    assert library_files(small)["missing"] == ["missing_library.py"]


def test_a_file_that_no_list_names_counts(small: SmallInstallation) -> None:
    small.write("site/engine/json.py", "")

    assert "engine/json.py" in library_files(small)["engine"]


def test_a_linked_folder_in_a_library_is_refused(small: SmallInstallation) -> None:
    (small.site / "engine" / "linked").symlink_to(small.site / "plotting")

    with pytest.raises(EnclaveUnavailable, match="is a link elsewhere"):
        small.files()


def test_a_library_without_a_list_of_its_files_is_refused(small: SmallInstallation) -> None:
    (small.site / "number_tools-2.1.dist-info" / "RECORD").unlink()

    with pytest.raises(EnclaveUnavailable, match="number-tools is installed without a list"):
        small.files()


def test_a_module_that_is_no_python_is_refused(small: SmallInstallation) -> None:
    small.write("room/late.py", "def (")

    with pytest.raises(EnclaveUnavailable, match=r"late\.py cannot be read as Python"):
        small.files()


def test_a_program_that_is_not_there_is_refused(small: SmallInstallation) -> None:
    with pytest.raises(EnclaveUnavailable, match=r"room\.nothing is not below"):
        small.files(EnclaveProgram("nothing", "room.nothing"))


def test_a_single_module_is_a_program_too(small: SmallInstallation) -> None:
    files = small.files(EnclaveProgram("sealer", "guard.seal"))

    assert [name for name, _ in files.first_party] == ["guard/__init__.py", "guard/seal.py"]
    assert files.distributions == ()


@pytest.mark.parametrize(
    "module", ["", ".worker", "room/worker", "room.worker.", "room worker", "-c", "room\n"]
)
def test_what_is_no_modules_name_is_refused(module: str) -> None:
    with pytest.raises(InvalidSetting, match="is not a module's name"):
        EnclaveProgram("worker", module)


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_what_does_not_print_is_no_programs_name(name: str) -> None:
    with pytest.raises(InvalidSetting, match="printable name"):
        EnclaveProgram(name, "room.worker")


# --- the clean room's worker ---


def test_the_worker_is_measured_with_what_decides_on_releases_and_without_the_service() -> None:
    files = files_of(EnclaveProgram("clean-room worker", "cleanroom.worker"))
    own = {name for name, _ in files.first_party}
    libraries = {library.name for library in files.distributions}

    assert own >= {
        "cleanroom/worker/__main__.py",
        "cleanroom/release/release_stage.py",
        "cleanroom/rules/rule_check.py",
        "privacy/sealing.py",
        "privacy/mechanisms.py",
    }
    assert {name.split("/")[0] for name in own} == {"cleanroom", "privacy"}
    assert not [name for name in own if name.startswith(("cleanroom/service/", "cleanroom/governance/"))]
    assert libraries >= {"duckdb", "opendp", "cryptography", "cffi", "sqlglot", "pyarrow"}
    assert not libraries & {"torch", "flwr", "fastapi", "uvicorn", "sqlalchemy", "httpx", "pandas", "pytest"}
