"""What an enclave is shown of the host: its own modules as copies, libraries, and what it is to be confined to.

Own modules are copied, so that nobody changes them between the measurement and the start, and so that what was not
measured is not there. Libraries are shown in place, one by one.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from privacy.enclave.boot import ENVIRONMENT, python_command
from privacy.enclave.bubblewrap import BubblewrapSettings, Mount, bubblewrap_command
from privacy.enclave.installed_libraries import Library
from privacy.enclave.isolation import Isolation
from privacy.enclave.lockdown import FIRST_FILTER, SECOND_FILTER, SETTINGS_FILE, LockdownSettings
from privacy.enclave.ordinary_user import free_user, is_open_to_all
from privacy.enclave.program_files import ProgramFiles
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.enclave.seccomp_filter import filter_program
from privacy.enclave.system_calls import AFTERWARDS, AT_LAUNCH
from privacy.enclave.temporary_folder import TemporaryFolder
from privacy.errors import EnclaveUnavailable

INSIDE = "/enclave"
PYTHON = "/python"
_SPILL = "/tmp"
_SYSTEM_CODE = ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/lib", "/lib64")


@dataclass(frozen=True)
class ShownFile:
    """A file of the host that programs see; `name`: where, the same for every enclave, without the first slash."""

    source: Path
    name: str


class LaidOut:
    """A folder of this process with everything; `close` removes it.

    Guarantee: with `digests`, own modules are copied with exactly the content that was measured.
    """

    def __init__(
        self,
        files: ProgramFiles,
        profile: SandboxProfile,
        bytecode: Path | None = None,
        *,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        """`bytecode`: the folder to take it from, if there is one, by the names of files shown.

        digests: SHA-384 in hex of own modules, by name; None for a program that is not measured.
        Raises EnclaveUnavailable when a module or the interpreter cannot be laid out: no folder is left then.
        """
        self._profile = profile
        self.is_wrapped = profile.isolation is Isolation.FULL
        self._libraries = _by_name(files)
        self._base, self._interpreter = _interpreter()
        self._temporary = TemporaryFolder("mixroom-enclave-")
        self.folder = self._temporary.path
        self._bytecode = bytecode or self.folder / "bytecode"
        try:
            self._fill(files, digests)
        except BaseException:
            self.close()
            raise

    @property
    def seen_as(self) -> str:
        """The folder as the program sees it."""
        return INSIDE if self.is_wrapped else str(self.folder)

    @property
    def filter_path(self) -> Path:
        """The first filter of system calls."""
        return self.folder / FIRST_FILTER

    def command(self, module: str, channel: int, filter_descriptor: int) -> tuple[list[str], dict[str, str]]:
        """What to run, and its environment. Raises EnclaveUnavailable when bubblewrap is not installed."""
        environment = {**ENVIRONMENT, "LD_LIBRARY_PATH": self._seen_base("lib")}
        program = python_command(self._seen_base(self._interpreter), self.seen_as, channel, module)
        if not self.is_wrapped:
            return list(program), environment
        wrapped = BubblewrapSettings(
            tuple(self._mounts()),
            environment,
            _SPILL,
            self._profile.limits.spill_bytes,
            filter_descriptor,
            free_user(),
        )
        return bubblewrap_command(wrapped, program), {}

    def shown_file(self, seen: str) -> ShownFile | None:
        """The file that a program sees at `seen`, if it is Python's, a library's, or its own."""
        path = Path(os.path.normpath(seen))
        for prefix, file in self._shown():
            if path.is_relative_to(prefix):
                inner = path.relative_to(prefix)
                return ShownFile(file.source / inner, f"{file.name}/{inner}")
        return None

    def close(self) -> None:
        """Remove the folder."""
        self._temporary.close()

    def _fill(self, files: ProgramFiles, digests: Mapping[str, str] | None) -> None:
        for name in ("app", "site", "bytecode"):
            (self.folder / name).mkdir(mode=0o755)
        # A place for memory to be mounted at. Where that fails nothing may be written there, to the host's disk.
        (self.folder / "spill").mkdir(mode=0o755 if self._profile.isolation is Isolation.NONE else 0o555)
        for name, path in files.first_party:
            _copy(path, self.folder / "app" / name, None if digests is None else digests.get(name, ""))
        for library in files.distributions:
            _write_metadata(library, self.folder / "app")
        self._write_settings()
        if not self.is_wrapped:
            self._link()

    def _seen_base(self, inner: str) -> str:
        return f"{PYTHON}/{inner}" if self.is_wrapped else str(self._base / inner)

    def _shown(self) -> Iterator[tuple[str, ShownFile]]:
        yield f"{self.seen_as}/app", ShownFile(self.folder / "app", f"{INSIDE[1:]}/app")
        for name, path in self._libraries.items():
            yield f"{self.seen_as}/site/{name}", ShownFile(path, f"{INSIDE[1:]}/site/{name}")
        yield self._seen_base(""), ShownFile(self._base, PYTHON[1:])

    def _link(self) -> None:
        """Without mounts, libraries and bytecode are links to where they are."""
        for name, path in self._libraries.items():
            (self.folder / "site" / name).symlink_to(path)
        for seen, inside in ((self.folder, INSIDE), (self._base, PYTHON)):
            kept = self._bytecode / inside[1:]
            kept.mkdir(mode=0o755, exist_ok=True)
            link = self.folder.joinpath("bytecode", *seen.parts[1:])
            link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            link.symlink_to(kept)

    def _mounts(self) -> Iterator[Mount]:
        yield Mount(self._base, PYTHON)
        yield Mount(self._bytecode, f"{INSIDE}/bytecode")
        for name in ("app", SETTINGS_FILE, SECOND_FILTER):
            yield Mount(self.folder / name, f"{INSIDE}/{name}")
        for name, path in self._libraries.items():
            yield Mount(path, f"{INSIDE}/site/{name}")

    def _write_settings(self) -> None:
        spill = _SPILL if self.is_wrapped else str(self.folder / "spill")
        readable = [*_SYSTEM_CODE, self._seen_base("")]
        own = [f"{self.seen_as}/{name}" for name in ("app", "site", "bytecode", SETTINGS_FILE, SECOND_FILTER)]
        places = [] if self.is_wrapped else [self.filter_path, self._bytecode, *self._libraries.values()]
        settings = LockdownSettings(
            self._profile.isolation,
            self._profile.limits,
            (*readable, *own, *map(str, places)),
            spill,
            0 if self.is_wrapped or not self._is_reachable() else free_user(),
        )
        (self.folder / SETTINGS_FILE).write_bytes(settings.to_bytes())
        self.filter_path.write_bytes(filter_program(AT_LAUNCH))
        (self.folder / SECOND_FILTER).write_bytes(filter_program(AFTERWARDS))

    def _is_reachable(self) -> bool:
        return all(map(is_open_to_all, (self._base, self.folder, *self._libraries.values())))


def _by_name(files: ProgramFiles) -> dict[str, Path]:
    libraries: dict[str, Path] = {}
    for root in files.roots:
        if libraries.setdefault(root.name, root) != root:
            raise EnclaveUnavailable(
                f"{root.name} is installed twice; nothing was started", hint="uninstall one of the two"
            )
    return libraries


def _write_metadata(library: Library, folder: Path) -> None:
    """What some libraries ask of importlib.metadata: name and version, which are measured; the rest is not shown."""
    place = folder / f"{library.name.replace('-', '_')}-{library.version}.dist-info"
    place.mkdir(mode=0o755)
    (place / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {library.name}\nVersion: {library.version}\n"
    )


def _interpreter() -> tuple[Path, str]:
    """The folder that this Python is installed in, and the interpreter below it."""
    base = Path(sys.base_prefix).resolve()
    executable = Path(sysconfig.get_config_var("BINDIR"), Path(sys.executable).resolve().name)
    try:
        return base, str(executable.resolve().relative_to(base))
    except ValueError as error:
        raise EnclaveUnavailable(
            f"this Python's interpreter is not below {base}; nothing was started", hint="use another Python"
        ) from error


def _copy(source: Path, target: Path, digest: str | None) -> None:
    """`digest`: the SHA-384 it must have, where one is known."""
    try:
        content = source.read_bytes()
        if digest is not None and hashlib.sha384(content).hexdigest() != digest:
            raise EnclaveUnavailable(
                f"{source} is not what was measured; nothing was started", hint="measure and start again"
            )
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o644)
    except OSError as error:
        raise EnclaveUnavailable(
            f"{source} could not be laid out for the enclave; nothing was started",
            hint="look at the free space of the folder for temporary files",
        ) from error
