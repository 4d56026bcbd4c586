"""Enclaves of this machine as their users see them: conversations, documents, ends, and what waits warm."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from privacy.enclave.attestation_verifier import AttestationPolicy, verify_attestation
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_enclave import EmulatedEnclave
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.isolation import Isolation
from privacy.enclave.laid_out import LaidOut
from privacy.enclave.measuring import MeasuredProgram, measure
from privacy.enclave.program_files import files_of
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.enclave.yielding import NICENESS, OOM_SCORE
from privacy.errors import EnclaveFailed, EnclaveUnavailable, InvalidSetting
from privacy.sealing import seal_message
from tests.privacy.enclave.sandbox.conftest import descendants, is_running

PROGRAMS = "tests.privacy.enclave.sandbox.programs"
OBLIGING = EnclaveProgram("obliging", f"{PROGRAMS}.obliging")
ENGINE = EnclaveProgram("engine", f"{PROGRAMS}.engine")
# Full isolation may be missing where tests run; what is tested here does not differ.
REDUCED = SandboxProfile(Isolation.REDUCED)
NONCE = bytes(range(32))
SECONDS = 60.0


@pytest.fixture(scope="module")
def backend(platform: EmulatedPlatform) -> Iterator[EmulatedBackend]:
    backend = EmulatedBackend(OBLIGING, platform, REDUCED)
    yield backend
    backend.close()


def ask(enclave: EmulatedEnclave, do: str, *files: int, **more: object) -> bytes:
    enclave.send(json.dumps({"do": do, **more}).encode(), files)
    return enclave.receive(seconds=SECONDS)


def test_messages_of_every_size_go_both_ways(backend: EmulatedBackend) -> None:
    enclave = backend.start()

    for size in (0, 1, 200_000, 5_000_000):
        text = "x" * size
        assert json.loads(ask(enclave, "echo", text=text)) == {"do": "echo", "text": text}
    enclave.close()


def test_files_are_read_inside_from_what_was_open_outside(backend: EmulatedBackend, tmp_path: Path) -> None:
    """Their paths mean nothing inside, and the caller's descriptors stay its own."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"content of {name}")
    enclave = backend.start()

    with (tmp_path / "a").open("rb") as first, (tmp_path / "b").open("rb") as second:
        read = ask(enclave, "read", first.fileno(), second.fileno())
        os.fstat(first.fileno())

    assert json.loads(read) == ["content of a", "content of b"]
    enclave.close()


def test_document_tells_measurement_key_nonce_and_what_was_said(
    backend: EmulatedBackend, platform: EmulatedPlatform
) -> None:
    enclave = backend.start()
    assert enclave.attestation is None
    key = ask(enclave, "key")

    document = ask(enclave, "attest", nonce=NONCE.hex())

    policy = AttestationPolicy((backend.root,), frozenset({backend.measurement.code}))
    attested = verify_attestation(document, policy, nonce=NONCE, now=datetime.now(UTC))
    assert enclave.attestation == document
    assert (attested.public_key, attested.user_data) == (key, b"what is said")
    assert backend.measurement == measure(OBLIGING, REDUCED.manifest())
    assert backend.root == platform.root
    enclave.close()


def test_only_the_attested_key_opens_what_was_sealed_to_it(backend: EmulatedBackend) -> None:
    first, second = backend.start(), backend.start()
    sealing = ask(first, "key")[:32]
    sealed = seal_message(b"a data key", sealing, {"purpose": "test"}).hex()

    assert ask(first, "unseal", sealed=sealed) == b"a data key"
    with pytest.raises(EnclaveFailed):
        ask(second, "unseal", sealed=sealed)
    first.close()


def test_one_conversation_gets_few_documents(backend: EmulatedBackend) -> None:
    """A program that was taken over does not keep the host signing."""
    enclave = backend.start()

    with pytest.raises(EnclaveFailed):
        ask(enclave, "attest", nonce=NONCE.hex(), times=1000)


def test_silence_ends_at_the_time_limit(backend: EmulatedBackend) -> None:
    enclave = backend.start()
    started = time.monotonic()

    enclave.send(b'{"do": "wait"}')
    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=0.3)

    assert 0.3 <= time.monotonic() - started < 10
    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=SECONDS)
    with pytest.raises(EnclaveFailed):
        enclave.send(b"{}")


def test_close_from_another_thread_wakes_who_waits(backend: EmulatedBackend) -> None:
    enclave = backend.start()
    threading.Timer(0.3, enclave.close).start()
    started = time.monotonic()

    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=SECONDS)

    assert time.monotonic() - started < 10


def test_closing_the_backend_ends_everything(platform: EmulatedPlatform) -> None:
    before = descendants(os.getpid())
    backend = EmulatedBackend(OBLIGING, platform, REDUCED, warm=1)
    enclave = backend.start()
    below = descendants(os.getpid()) - before

    backend.close()

    assert below
    assert not any(map(is_running, below))
    with pytest.raises(EnclaveFailed):
        enclave.receive(seconds=1)
    with pytest.raises(EnclaveUnavailable):
        backend.start()


def test_warm_enclave_that_died_is_replaced(platform: EmulatedPlatform) -> None:
    before = descendants(os.getpid())
    backend = EmulatedBackend(OBLIGING, platform, REDUCED, warm=1)
    try:
        os.kill(warm_process(backend, before), signal.SIGKILL)
        wait_for(lambda: not any(map(is_warm, descendants(os.getpid()) - before)))
        enclave = backend.start()
        assert ask(enclave, "key")
        enclave.close()
    finally:
        backend.close()


def test_warm_enclave_serves_one_conversation_and_the_next_waits(platform: EmulatedPlatform) -> None:
    before = descendants(os.getpid())
    backend = EmulatedBackend(OBLIGING, platform, REDUCED, warm=1)
    try:
        keys = set()
        processes = set()
        for _ in range(3):
            processes.add(warm_process(backend, before))
            enclave = backend.start()
            keys.add(ask(enclave, "key"))
            enclave.close()
        assert len(keys) == len(processes) == 3
    finally:
        backend.close()


def test_program_that_does_not_start_is_named_with_what_to_do(platform: EmulatedPlatform) -> None:
    backend = EmulatedBackend(EnclaveProgram("failing", f"{PROGRAMS}.failing"), platform, REDUCED)
    try:
        with pytest.raises(EnclaveUnavailable, match="did not start") as refused:
            backend.start()
        assert refused.value.hint
    finally:
        backend.close()


def test_program_changed_after_it_was_measured_is_not_started(platform: EmulatedPlatform) -> None:
    """Not even one that waits already."""
    with passing_program() as (program, place):
        backend = EmulatedBackend(program, platform, REDUCED)
        try:
            backend.start().close()
            place.write_text(place.read_text() + "\n")
            with pytest.raises(EnclaveUnavailable, match="not those that were measured"):
                backend.start()
        finally:
            backend.close()


def test_bytecode_may_be_kept_in_a_folder_named_from_here(
    platform: EmulatedPlatform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_isolation: Callable[[Isolation], None],
) -> None:
    """As `--data room-service` names it."""
    require_isolation(Isolation.FULL)
    monkeypatch.chdir(tmp_path)
    backend = EmulatedBackend(OBLIGING, platform, bytecode_in=Path("service", "bytecode"))
    try:
        backend.start().close()
    finally:
        backend.close()


def test_bytecode_that_was_kept_makes_the_next_service_start_faster(
    platform: EmulatedPlatform, tmp_path: Path, require_isolation: Callable[[Isolation], None]
) -> None:
    """What other programs left there is removed, and nothing else; Python's own library is compared each time."""
    require_isolation(Isolation.FULL)
    kept = tmp_path / "bytecode"
    for name in ("5" * 96, "somebody's folder"):
        (kept / name).mkdir(parents=True)
    code = kept / measure(OBLIGING, SandboxProfile().manifest()).code
    for is_first in (True, False):
        backend = EmulatedBackend(OBLIGING, platform, bytecode_in=kept)
        try:
            assert (code / "done").exists() is not is_first
            backend.start().close()
            wait_for((code / "done").exists)
        finally:
            backend.close()

    assert {path.name for path in kept.iterdir()} == {code.name, "somebody's folder"}
    compiled = {path.relative_to(code).as_posix() for path in code.rglob("*.pyc")}
    tag = sys.implementation.cache_tag
    assert f"enclave/app/privacy/enclave/inside.{tag}.pyc" in compiled
    assert f"enclave/site/cryptography/exceptions.{tag}.pyc" in compiled
    own, library = (
        code / f"enclave/app/privacy/enclave/inside.{tag}.pyc",
        next(code.rglob(f"json/decoder.{tag}.pyc")),
    )
    assert [int.from_bytes(path.read_bytes()[4:8], "little") for path in (own, library)] == [
        0b01,
        0b11,
    ]  # PEP 552


def test_bytecode_is_not_kept_where_others_can_write(
    platform: EmulatedPlatform, tmp_path: Path, require_isolation: Callable[[Isolation], None]
) -> None:
    """Nor below a folder of the right name that somebody put there."""
    require_isolation(Isolation.FULL)
    code = measure(OBLIGING, SandboxProfile().manifest()).code
    inner = tmp_path / "inner"
    for place in (tmp_path / "outer", inner / code):
        place.mkdir(parents=True)
        place.chmod(0o775)

    for kept in (tmp_path / "outer", inner):
        with pytest.raises(EnclaveUnavailable, match="written to by others"):
            EmulatedBackend(OBLIGING, platform, bytecode_in=kept)


def test_enclaves_yield_to_the_service(platform: EmulatedPlatform, sandboxed: Isolation) -> None:
    """The kernel ends them first when memory runs out."""
    before = descendants(os.getpid())
    backend = EmulatedBackend(OBLIGING, platform, SandboxProfile(sandboxed))
    try:
        enclave = backend.start()
        below = {process for process in descendants(os.getpid()) - before if is_warm(process)}
        scores = {int(Path(f"/proc/{process}/oom_score_adj").read_text()) for process in below}
        niceness = {os.getpriority(os.PRIO_PROCESS, process) for process in below}
        enclave.close()
    finally:
        backend.close()

    assert below
    assert min(scores) >= OOM_SCORE
    assert min(niceness) >= NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) < NICENESS


def test_where_nothing_can_be_mounted_nothing_can_be_spilled(
    platform: EmulatedPlatform, monkeypatch: pytest.MonkeyPatch, change_boot: Callable[[str], None]
) -> None:
    """Not to the host's disk either: the program is told so, and its folder may not be written to."""
    change_boot("import privacy.enclave.separation as changed; changed._empty_at = lambda *_: False")
    backend = EmulatedBackend(OBLIGING, platform, REDUCED)
    try:
        enclave = backend.start()
        spill = backend._laid_out.folder / "spill"
        assert json.loads(ask(enclave, "spill")) is None
        assert ask(enclave, "write", path=str(spill / "row")) in {b"EACCES", b"EPERM"}
        assert list(spill.iterdir()) == []
        assert spill.stat().st_mode & 0o222 == 0
        enclave.close()
    finally:
        backend.close()


def test_spill_folder_is_shown_where_memory_lies_there(
    platform: EmulatedPlatform, sandboxed: Isolation
) -> None:
    backend = EmulatedBackend(OBLIGING, platform, SandboxProfile(sandboxed))
    try:
        enclave = backend.start()
        spill = json.loads(ask(enclave, "spill"))
        if spill is None:
            pytest.skip("this kernel mounts nothing for the reduced sandbox")
        assert ask(enclave, "write", path=f"{spill}/row") == b"worked"
        assert not Path(spill, "row").exists()
        enclave.close()
    finally:
        backend.close()


def test_enclave_whose_libraries_were_touched_while_it_waited_is_not_used(platform: EmulatedPlatform) -> None:
    """Though they are again what they were: what it loaded in between is not known."""
    backend = EmulatedBackend(OBLIGING, platform, REDUCED)
    try:
        waiting = backend._launch()
        backend._waiting.put(waiting)
        os.utime(backend._measured.files.distributions[0].files[0][1])
        enclave = backend.start()
        assert enclave is not waiting.enclave
        assert not waiting.enclave.is_alive
        enclave.close()
    finally:
        backend.close()


def test_own_modules_may_be_touched_as_enclaves_run_copies_of_them(platform: EmulatedPlatform) -> None:
    """A folder for bytecode that Python makes beside them must not end what waits."""
    with passing_program() as (program, place):
        backend = EmulatedBackend(program, platform, REDUCED)
        try:
            waiting = backend._launch()
            backend._waiting.put(waiting)
            place.write_text(place.read_text())
            place.parent.joinpath("__pycache__").mkdir(exist_ok=True)
            enclave = backend.start()
            assert enclave is waiting.enclave
            enclave.close()
        finally:
            backend.close()


def test_program_whose_copy_is_not_what_was_measured_is_not_laid_out(temporary: Path) -> None:
    """And nothing of it is left."""
    files = files_of(OBLIGING)
    digests = {**MeasuredProgram(OBLIGING, b"").own_digests, "privacy/enclave/inside.py": "0" * 96}

    with pytest.raises(EnclaveUnavailable, match="is not what was measured"):
        LaidOut(files, REDUCED, digests=digests)

    assert list(temporary.iterdir()) == []


def test_debug_measures_as_zeros_and_no_isolation_needs_it(platform: EmulatedPlatform) -> None:
    profile = SandboxProfile(Isolation.NONE)
    backend = EmulatedBackend(OBLIGING, platform, profile, debug=True)
    try:
        assert backend.measurement.is_debug
    finally:
        backend.close()
    with pytest.raises(InvalidSetting):
        EmulatedBackend(OBLIGING, platform, profile)


@pytest.mark.parametrize("isolation", [Isolation.FULL, Isolation.REDUCED])
def test_isolation_and_limits_are_measured(isolation: Isolation) -> None:
    profile = SandboxProfile(isolation)
    other = SandboxProfile(Isolation.REDUCED if isolation is Isolation.FULL else Isolation.FULL)
    roomier = replace(profile, limits=replace(profile.limits, threads=profile.limits.threads + 1))

    measured = [measure(OBLIGING, one.manifest()).code for one in (profile, other, roomier, profile)]

    assert measured[0] == measured[3]
    assert len(set(measured)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [Isolation.FULL, Isolation.REDUCED])
def test_engines_work_inside_with_threads_and_spill_space(
    platform: EmulatedPlatform, isolation: Isolation, require_isolation: Callable[[Isolation], None]
) -> None:
    require_isolation(isolation)
    backend = EmulatedBackend(ENGINE, platform, SandboxProfile(isolation))
    try:
        enclave = backend.start()
        enclave.send(b"")
        answer = json.loads(enclave.receive(seconds=120))
    finally:
        backend.close()

    if answer is None:
        pytest.skip("this kernel mounts nothing for the reduced sandbox")
    assert answer["summed"] == [6_000_000, 6_000_000 * 5_999_999 // 2]
    assert answer["spilled"]
    assert answer["joined"] == sum(range(10))
    assert answer["quantile"] == pytest.approx(1.959964, abs=1e-6)


@contextmanager
def passing_program() -> Iterator[tuple[EnclaveProgram, Path]]:
    """A program that may be changed, and where it lies."""
    place = Path(__file__).with_name("programs") / f"passing_{os.getpid()}.py"
    if not os.access(place.parent, os.W_OK):
        pytest.skip("the repository may not be written to here")
    place.write_text(place.with_name("obliging.py").read_text())
    try:
        yield EnclaveProgram("passing", f"{PROGRAMS}.{place.stem}"), place
    finally:
        place.unlink()


def wait_for(happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def warm_process(backend: EmulatedBackend, before: set[int]) -> int:
    """The process of the one enclave that waits."""

    def waiting() -> list[int]:
        return [process for process in descendants(os.getpid()) - before if is_warm(process)]

    wait_for(lambda: backend.waiting == 1 and len(waiting()) == 1)
    return waiting()[0]


def is_warm(process: int) -> bool:
    """Whether it runs the program."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return OBLIGING.module in command and is_running(process)
