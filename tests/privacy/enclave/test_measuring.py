"""A measurement is the same wherever the same bytes lie, and another after any change to them."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from pathlib import Path

import pytest

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.measurement import Measurement
from privacy.enclave.measuring import manifest_lines, measure
from privacy.errors import EnclaveUnavailable
from tests.privacy.enclave.small_installation import PROFILE, SmallInstallation


@pytest.fixture
def small(tmp_path: Path) -> SmallInstallation:
    return SmallInstallation.in_folder(tmp_path)


def registers(small: SmallInstallation, profile: bytes = PROFILE) -> tuple[str, str, str]:
    pcrs = small.measured(profile).measurement.pcrs
    return pcrs[0].hex(), pcrs[1].hex(), pcrs[2].hex()


def require_changed(before: tuple[str, str, str], after: tuple[str, str, str], *, which: int) -> None:
    """Register 0, and the one of 1 and 2 that the change belongs to."""
    assert after[0] != before[0]
    assert after[which] != before[which]
    assert after[3 - which] == before[3 - which]


def test_the_registers_are_sha384_of_the_lines(small: SmallInstallation) -> None:
    version = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    runs_on = [
        ("lock constraints.txt", (small.sources / "constraints.txt").read_bytes()),
        (f"interpreter {version}", version.encode()),
        ("profile sandbox", PROFILE),
    ]
    own = ["guard/__init__", "guard/seal", "room/__init__", "room/late", "room/rules"]
    own += ["room/worker/__init__", "room/worker/__main__", "room/worker/job"]
    application = [(f"code {name}.py", (small.sources / f"{name}.py").read_bytes()) for name in own]
    for library, names in (
        ("engine==1.0", ["engine/__init__.py", "engine/query.py", "engine/core.so"]),
        ("number-tools==2.1", ["numbers_.py"]),
    ):
        application += [(f"library {library}/{name}", (small.site / name).read_bytes()) for name in names]

    def register(parts: list[tuple[str, bytes]]) -> str:
        lines = sorted(f"{hashlib.sha384(content).hexdigest()} {name}\n" for name, content in parts)
        return hashlib.sha384("".join(lines).encode()).hexdigest()

    assert registers(small) == (register(runs_on + application), register(runs_on), register(application))
    assert small.measured().measurement.code == registers(small)[0]


def test_two_copies_at_different_places_measure_the_same(tmp_path: Path) -> None:
    here = SmallInstallation.in_folder(tmp_path / "here")
    there = SmallInstallation.in_folder(tmp_path / "a b" / "deeper" / "there")

    assert registers(here) == registers(there)
    assert here.measured().lines == there.measured().lines
    assert not [line for line in here.measured().lines if str(tmp_path) in line]


@pytest.mark.parametrize("name", ["room/worker/job.py", "room/late.py", "guard/__init__.py"])
def test_a_changed_byte_of_own_code_changes_it(small: SmallInstallation, name: str) -> None:
    before = registers(small)
    with (small.sources / name).open("a") as file:
        file.write("\n")

    require_changed(before, registers(small), which=2)


@pytest.mark.parametrize("name", ["engine/query.py", "engine/core.so", "numbers_.py"])
def test_a_changed_byte_of_a_library_changes_it(small: SmallInstallation, name: str) -> None:
    before = registers(small)
    content = bytearray((small.site / name).read_bytes())
    content[-1] ^= 1
    (small.site / name).write_bytes(content)

    require_changed(before, registers(small), which=2)


def test_another_version_of_a_library_changes_it(small: SmallInstallation) -> None:
    before = registers(small)
    small.write("site/number_tools-2.1.dist-info/METADATA", "Name: number-tools\nVersion: 2.2\n")

    require_changed(before, registers(small), which=2)


def test_a_changed_lock_file_changes_it(small: SmallInstallation) -> None:
    before = registers(small)
    small.write("constraints.txt", "engine==1.1\n")

    require_changed(before, registers(small), which=1)


def test_another_profile_changes_it(small: SmallInstallation) -> None:
    require_changed(registers(small), registers(small, b'{"isolation":"reduced"}'), which=1)


@pytest.mark.parametrize("name", ["engine/json.py", "engine/query/__init__.py", "engine/query.abi3.so"])
def test_a_shadowing_file_in_a_library_changes_it(small: SmallInstallation, name: str) -> None:
    before = registers(small)
    small.write(f"site/{name}", "")

    require_changed(before, registers(small), which=2)


def test_a_shadowing_package_in_own_code_changes_it(small: SmallInstallation) -> None:
    before = registers(small)
    small.write("room/rules/__init__.py", "import importlib\nimportlib.import_module('guard.seal')\n")

    require_changed(before, registers(small), which=2)


def test_what_the_program_does_not_run_changes_nothing(small: SmallInstallation) -> None:
    before = registers(small)
    small.write("room/service.py", "changed")
    small.write("guard/unused.py", "changed")
    small.write("site/plotting/__init__.py", "changed")
    small.write("site/engine/__pycache__/query.cpython-311.pyc", "changed")
    small.write("room/worker/__pycache__/job.cpython-311.pyc", "changed")

    assert registers(small) == before


def test_debug_mode_measures_as_zeros_and_reads_nothing() -> None:
    zeros = measure(EnclaveProgram("nothing", "not.there"), PROFILE, debug=True)

    assert zeros == Measurement.debug()
    assert dict(zeros.pcrs) == {0: bytes(48), 1: bytes(48), 2: bytes(48)}
    assert zeros.is_debug


def test_without_the_lock_file_nothing_is_measured(small: SmallInstallation) -> None:
    (small.sources / "constraints.txt").unlink()

    with pytest.raises(EnclaveUnavailable, match=r"constraints\.txt is missing") as refusal:
        small.measured()
    assert "checkout" in refusal.value.hint


def test_a_pipe_among_the_files_is_not_waited_for(small: SmallInstallation) -> None:
    os.mkfifo(small.site / "engine" / "pipe.py")

    with pytest.raises(EnclaveUnavailable, match="not a file that can be read"):
        small.measured()


def test_a_file_name_that_breaks_lines_stays_on_one(small: SmallInstallation) -> None:
    small.write("site/engine/a\nb.py", "")

    assert all("\n" not in line for line in small.measured().lines)


# --- later ---


def test_unchanged_files_are_found_unchanged(small: SmallInstallation) -> None:
    measured = small.measured()

    measured.require_unchanged()
    measured.require_unchanged()


def test_new_caches_and_new_times_are_no_change(small: SmallInstallation) -> None:
    measured = small.measured()
    small.write("room/__pycache__/rules.cpython-311.pyc", "cached")
    os.utime(small.sources / "room" / "rules.py", (1, 1))

    measured.require_unchanged()


@pytest.mark.parametrize(
    "name",
    [
        "room/rules.py",
        "site/engine/query.py",
        "constraints.txt",
        "room/rules/__init__.py",
        "site/engine/json.py",
    ],
)
def test_a_file_changed_or_added_since_is_refused(small: SmallInstallation, name: str) -> None:
    measured = small.measured()
    measured.require_unchanged()
    small.write(name, "changed = 1\n")

    for _ in range(2):
        with pytest.raises(EnclaveUnavailable, match="not those that were measured"):
            measured.require_unchanged()


@pytest.mark.parametrize("name", ["room/rules.py", "site/engine/query.py"])
def test_a_file_taken_away_since_is_refused(small: SmallInstallation, name: str) -> None:
    measured = small.measured()
    (small.site / "engine" / "query.py" if name.startswith("site/") else small.sources / name).unlink()

    with pytest.raises(EnclaveUnavailable):
        measured.require_unchanged()


def test_a_change_with_the_old_size_and_time_is_noticed(small: SmallInstallation) -> None:
    path = small.site / "engine" / "query.py"
    before = path.stat()
    measured = small.measured()
    time.sleep(0.02)  # the file system's clock ticks every few milliseconds
    path.write_text("y = 3\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    with pytest.raises(EnclaveUnavailable, match="not those that were measured"):
        measured.require_unchanged()


def test_files_put_back_are_accepted_again(small: SmallInstallation) -> None:
    measured = small.measured()
    path = small.sources / "room" / "rules.py"
    content = path.read_text()
    path.write_text("changed = 1\n")
    with pytest.raises(EnclaveUnavailable):
        measured.require_unchanged()
    path.write_text(content)

    measured.require_unchanged()


# --- the clean room's worker ---


@pytest.mark.slow
def test_the_worker_is_measured_twice_the_same_way() -> None:
    program = EnclaveProgram("clean-room worker", "cleanroom.worker")
    measurement = measure(program, PROFILE)

    assert measure(program, PROFILE) == measurement
    assert len(measurement.code) == 96
    text = "".join(f"{line}\n" for line in manifest_lines(program, PROFILE))
    assert hashlib.sha384(text.encode()).hexdigest() == measurement.code
