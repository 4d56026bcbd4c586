"""Bytecode for enclaves, compiled here from the sources that were measured.

Python's own caches lie next to the modules and nobody measured them, so no enclave reads them. Without any, loading
the libraries would take seconds: what the first enclave imported is compiled, in a process of its own, for the others.
It is kept for as long as this process, or in a folder: there it needs the protection that the platform's key has.
Of Python's own library, which is not measured, Python compares the sources with it each time.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from privacy.enclave.laid_out import PYTHON, ShownFile
from privacy.enclave.temporary_folder import TemporaryFolder
from privacy.errors import EnclaveUnavailable

_SUFFIX = f".{sys.implementation.cache_tag}.pyc"
_DONE = "done"
_COMPILE = """\
import json, os, pathlib, py_compile, sys
os.nice(10)
done, jobs = json.load(sys.stdin)
for source, target, mode in jobs:
    try:
        py_compile.compile(source, target, doraise=True, invalidation_mode=py_compile.PycInvalidationMode[mode])
    except (OSError, SyntaxError, ValueError, py_compile.PyCompileError):
        continue
pathlib.Path(done).touch()
"""
MOST_MODULES = 20_000
_CODE = re.compile(r"[0-9a-f]{96}")
_WRITABLE_BY_OTHERS = 0o022


class Bytecode:
    """Of one program, in one folder: compiled once, after the first enclave started, while others already run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def of(cls, code: str, kept_in: Path | None) -> Bytecode:
        """That of the program with this measurement; that of other ones is removed from `kept_in`, and nothing else.

        Without a folder it is shared by all who ask in this process: services of tests start many enclaves.
        Raises EnclaveUnavailable for a folder that others could put code into.
        """
        if kept_in is None:
            return _for_this_process(code)
        kept_in = kept_in.resolve()  # enclaves are started from another folder than this process's
        kept_in.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(kept_in)
        for other in kept_in.iterdir():
            if other.name != code and _CODE.fullmatch(other.name) and not other.is_symlink():
                shutil.rmtree(other, ignore_errors=True)
        (kept_in / code).mkdir(mode=0o755, exist_ok=True)
        _require_own(kept_in / code)
        return _compiled_once(kept_in / code)

    @property
    def is_done(self) -> bool:
        """Whether all that was learnt is compiled."""
        return (self.folder / _DONE).exists()

    def learn(self, imported: bytes, shown: Callable[[str], ShownFile | None]) -> None:
        """Compile what an enclave says it imported, one path a line as it sees them; the first one's word is taken.

        The paths come from inside: `shown` knows which files enclaves are shown, and only those are compiled.
        """
        with self._lock:
            if self._process is None and not self.is_done:
                self._process = _start(self.folder / _DONE, self._jobs(imported, shown))

    def wait(self) -> None:
        """Until what was learnt is compiled."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Stop compiling."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _jobs(self, imported: bytes, shown: Callable[[str], ShownFile | None]) -> list[tuple[str, str, str]]:
        """Source, target and how Python is to tell that it fits."""
        jobs = []
        for seen in imported.decode(errors="replace").splitlines()[:MOST_MODULES]:
            file = shown(seen)
            if file is not None and file.source.suffix == ".py" and file.source.is_file():
                mode = "CHECKED_HASH" if file.name.startswith(f"{PYTHON[1:]}/") else "UNCHECKED_HASH"
                jobs.append((str(file.source), str((self.folder / file.name).with_suffix(_SUFFIX)), mode))
        return jobs


@functools.cache
def _for_this_process(code: str) -> Bytecode:
    temporary = TemporaryFolder("mixroom-bytecode-")
    atexit.register(temporary.close)
    folder = temporary.path / "compiled"
    folder.mkdir(mode=0o755)
    return _compiled_once(folder)


@functools.cache
def _compiled_once(folder: Path) -> Bytecode:
    bytecode = Bytecode(folder)
    atexit.register(bytecode.stop)
    return bytecode


def _require_own(folder: Path) -> None:
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS:
        raise EnclaveUnavailable(
            f"{folder} may be written to by others, or is no folder of this user's; nothing was started",
            hint="remove it: it holds compiled code, which is made anew",
        )


def _start(done: Path, jobs: list[tuple[str, str, str]]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", _COMPILE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(json.dumps([str(done), jobs]).encode())
    return process
