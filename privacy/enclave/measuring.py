"""From files to a measurement: SHA-384 over a sorted manifest, one line `digest kind name` for each file.

Register 1 is the SHA-384 of the lines about what the program runs on: the lock file, the interpreter's version and the
sandbox's profile. Register 2 is that of its own code and its libraries. Register 0 is that of all lines. No line holds
a place on this machine, so two machines with the same installation get the same registers.
"""

from __future__ import annotations

import hashlib
import os
import platform
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.file_digests import FileDigests, FileState
from privacy.enclave.installed_libraries import InstalledLibraries
from privacy.enclave.measurement import APPLICATION, CODE, PLATFORM, Measurement
from privacy.enclave.program_files import LOCK_FILE, SOURCES, ProgramFiles, files_of
from privacy.errors import EnclaveUnavailable

_DIGESTS = FileDigests()  # one memory, as several services of a process measure the same libraries


class MeasuredProgram:
    """A program, its files, and what they measured as when this was made."""

    def __init__(
        self,
        program: EnclaveProgram,
        profile_manifest: bytes,
        *,
        sources: Path = SOURCES,
        libraries: InstalledLibraries | None = None,
    ) -> None:
        """Read every file. Raises EnclaveUnavailable when one is missing."""
        self.program = program
        self._profile = profile_manifest
        self._sources, self._installed = sources, libraries
        self._lock = threading.Lock()
        self.files = files_of(program, sources=sources, libraries=libraries)
        self._touched = 0
        self._seen = _states(self.files)  # before they are read: what changes later is read again
        self.lines = _lines(self.files, profile_manifest)

    @property
    def measurement(self) -> Measurement:
        """The three registers."""
        runs_on = [line for line in self.lines if line.split(" ")[1] in _RUNS_ON]
        application = [line for line in self.lines if line.split(" ")[1] not in _RUNS_ON]
        return Measurement(
            {CODE: _digest(self.lines), PLATFORM: _digest(runs_on), APPLICATION: _digest(application)}
        )

    @property
    def own_digests(self) -> Mapping[str, str]:
        """SHA-384 in hex of the program's own modules, by their names below the sources."""
        parts = (line.split(" ", 2) for line in self.lines)
        return {name: digest for digest, kind, name in parts if kind == "code"}

    def require_unchanged(self) -> int:
        """Raise EnclaveUnavailable when the files are not those that were measured. Cheap: reads only what changed.

        How often libraries were touched by now: the same number twice means that nobody wrote to them in between, even
        to put them back afterwards. Own modules do not count, as enclaves run copies of them; and Python makes folders
        for its bytecode beside them.
        """
        with self._lock:
            seen = _states(self.files)
            if seen == self._seen:
                return self._touched
            files = files_of(self.program, sources=self._sources, libraries=self._installed)
            if _lines(files, self._profile) != self.lines:
                raise EnclaveUnavailable(
                    "the program's files are not those that were measured; nothing was started",
                    hint="restart the service, and let the partners allow the new measurement",
                )
            self._touched += any(seen[place] != self._seen[place] for place in self.files.library_places)
            self._seen = seen
            return self._touched


def measure(program: EnclaveProgram, profile_manifest: bytes, *, debug: bool = False) -> Measurement:
    """What `program` measures as under a sandbox profile; zeros in debug mode. Raises EnclaveUnavailable."""
    return Measurement.debug() if debug else MeasuredProgram(program, profile_manifest).measurement


def manifest_lines(program: EnclaveProgram, profile_manifest: bytes) -> tuple[str, ...]:
    """The lines that register 0 is the digest of, sorted. Raises EnclaveUnavailable."""
    return MeasuredProgram(program, profile_manifest).lines


_RUNS_ON = frozenset({"interpreter", "lock", "profile"})


def _lines(files: ProgramFiles, profile_manifest: bytes) -> tuple[str, ...]:
    lock = files.sources / LOCK_FILE
    if not lock.is_file():
        raise EnclaveUnavailable(
            f"{lock} is missing, so it cannot be said which versions run; nothing was measured",
            hint="measure from a checkout of the repository, which holds it",
        )
    digests = _DIGESTS.of((lock, *files.paths))
    version = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    named = [
        ("interpreter", version, hashlib.sha384(version.encode()).hexdigest()),
        ("lock", LOCK_FILE, digests[lock]),
        ("profile", "sandbox", hashlib.sha384(profile_manifest).hexdigest()),
    ]
    named += [("code", name, digests[path]) for name, path in files.first_party]
    named += [
        ("library", f"{library.name}=={library.version}/{name}", digests[path])
        for library in files.distributions
        for name, path in library.files
    ]
    return tuple(sorted(f"{digest} {kind} {_printable(name)}" for kind, name, digest in named))


def _printable(name: str) -> str:
    """One line for one file, whatever it is called."""
    return name if name.isprintable() else ascii(name)


def _digest(lines: Iterable[str]) -> bytes:
    return hashlib.sha384("".join(f"{line}\n" for line in lines).encode()).digest()


def _states(files: ProgramFiles) -> Mapping[str, FileState | None]:
    """Of every file and, as a new module may shadow another, of every folder that modules are looked for in."""
    return {place: _state(place) for place in (str(files.sources / LOCK_FILE), *files.places)}


def _state(place: str) -> FileState | None:
    try:
        return FileState.of(os.stat(place))
    except OSError:
        return None
