"""Every file an enclave's program may run: its own modules, followed from import to import, and its libraries.

Own code: the modules that the program imports, inside functions too, found where Python would find them, so that a
package or an extension put in front of a module is taken instead of it. Libraries: the installed distributions behind
all other imports, and those they require; of each, every file in its folders, so that an added module counts.
Not followed: names of modules computed at run time, and the extras of a distribution. A sandbox that shows only
these modules and `roots` has nothing else to run. Not measured: Python's own library, of which only the version is.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.installed_libraries import InstalledLibraries, Library
from privacy.errors import EnclaveUnavailable

LOCK_FILE = "constraints.txt"
_PARSING = threading.Lock()  # two threads that parse at once can fail one another in CPython 3.11


def _sources() -> Path:
    """The project's folder. What Flower ships to a silo is not whole, so there it is the installed one."""
    here = Path(__file__).resolve().parents[2]
    installed = importlib.util.find_spec("mixroom")
    if (here / LOCK_FILE).exists() or installed is None or installed.origin is None:
        return here
    return Path(installed.origin).resolve().parents[1]


SOURCES = _sources()


@dataclass(frozen=True)
class ProgramFiles:
    """Own modules as (posix path below `sources`, where it is), and libraries, both sorted by name."""

    sources: Path
    first_party: tuple[tuple[str, Path], ...]
    distributions: tuple[Library, ...]

    @property
    def roots(self) -> tuple[Path, ...]:
        """What of the folders of installed libraries the program can need: top folders and single modules."""
        return tuple(sorted({root for library in self.distributions for root in library.roots}))

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Every file."""
        library_files = (path for library in self.distributions for _, path in library.files)
        return tuple(sorted({path for _, path in self.first_party} | set(library_files)))

    @cached_property
    def places(self) -> tuple[str, ...]:
        """Every file, and every folder that one of them, or a library's root, lies in."""
        return _with_folders(set(self.paths) | set(self.roots))

    @cached_property
    def library_places(self) -> tuple[str, ...]:
        """The same of libraries alone, which lie where others may write."""
        files = {path for library in self.distributions for _, path in library.files}
        return _with_folders(files | set(self.roots))


def _with_folders(paths: set[Path]) -> tuple[str, ...]:
    return tuple(sorted(str(place) for place in paths | {path.parent for path in paths}))


def files_of(
    program: EnclaveProgram, *, sources: Path = SOURCES, libraries: InstalledLibraries | None = None
) -> ProgramFiles:
    """The files of `program` below `sources` and among the libraries installed for this interpreter.

    Raises EnclaveUnavailable when the program is not there, or a file cannot be read or parsed.
    """
    installed = libraries or InstalledLibraries.of_this_interpreter()
    found, foreign = _closure(program, sources)
    needed = {name.split(".")[0] for name in foreign} - sys.stdlib_module_names
    own = sorted((path.relative_to(sources).as_posix(), path) for path in found.values())
    return ProgramFiles(sources, tuple(own), installed.behind(needed))


def _closure(program: EnclaveProgram, sources: Path) -> tuple[dict[str, Path], set[str]]:
    """Own modules by dotted name, and all imported names that are none."""
    modules = _OwnModules(sources)
    found: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = [program.module, f"{program.module}.__main__"]
    while waiting:
        name = waiting.pop()
        if name in found or name in foreign:
            continue
        path = modules.find(name)
        if path is None:
            foreign.add(name)
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += _imports(path, name)
    if program.module not in found:
        raise EnclaveUnavailable(
            f"the program {program.module} is not below {sources}; nothing was measured",
            hint="measure from a checkout of the repository",
        )
    own = {name.split(".")[0] for name in found}
    return found, {name for name in foreign if name.split(".")[0] not in own}


class _OwnModules:
    """Where Python would find modules below `sources`, in its order: package, extension, source, bytecode."""

    def __init__(self, sources: Path) -> None:
        self._sources = sources
        self._names: dict[tuple[str, ...], frozenset[str]] = {}
        self._suffixes = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)

    def find(self, name: str) -> Path | None:
        """The file of the module with this dotted name."""
        *above, last = name.split(".")
        for folder, start in (((*above, last), "__init__"), (tuple(above), last)):
            for suffix in self._suffixes:
                if start + suffix in self._listed(folder):
                    return self._sources.joinpath(*folder, start + suffix)
        return None

    def _listed(self, folder: tuple[str, ...]) -> frozenset[str]:
        if folder not in self._names:
            # most of `from a.b import c` name no module, so no folder either
            exists = folder == () or folder[-1] in self._listed(folder[:-1])
            place = self._sources.joinpath(*folder)
            self._names[folder] = frozenset(os.listdir(place) if exists and place.is_dir() else ())
        return self._names[folder]


def _imports(path: Path, name: str) -> list[str]:
    """Dotted names that a module may import; of `from a import b` both a and a.b, as b may be a module."""
    if path.suffix != ".py":
        return []
    try:
        with _PARSING:
            tree = ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise EnclaveUnavailable(
            f"{path} cannot be read as Python; nothing was measured", hint="restore the file"
        ) from error
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    return [imported for node in ast.walk(tree) for imported in _imported(node, package)]


def _imported(node: ast.AST, package: list[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package[: len(package) - level + 1] if level else []
            base = ".".join([*above, *([module] if module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in names if alias.name != "*")
        case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]):
            if ast.unparse(func) in {"importlib.import_module", "import_module", "__import__"}:
                yield module
