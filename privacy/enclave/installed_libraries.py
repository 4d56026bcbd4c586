"""Installed distributions: which one an import comes from, what it requires, and all files in its folders."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from privacy.errors import EnclaveUnavailable

_REQUIRED_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_FOR_AN_EXTRA = re.compile(r";.*\bextra\b")
_TOP = re.compile(r'^"?([^/,"\n]+)[/,]', re.MULTILINE)
_CACHED = "__pycache__"


@dataclass(frozen=True)
class Library:
    """An installed distribution; `roots` are its top folders and modules, `files` (posix path, where) all in them."""

    name: str
    version: str
    roots: tuple[Path, ...]
    files: tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class InstalledLibraries:
    """The distributions in these folders, as an interpreter without `.pth` files sees them."""

    folders: tuple[Path, ...]

    @classmethod
    def of_this_interpreter(cls) -> InstalledLibraries:
        """In `site-packages`."""
        paths = sysconfig.get_paths()
        return cls(tuple(Path(folder) for folder in sorted({paths["purelib"], paths["platlib"]})))

    def behind(self, names: Collection[str]) -> tuple[Library, ...]:
        """What the top-level imports `names` come from, and what that requires; names not installed are left out."""
        waiting = [key for name in names for key in self._providers.get(name, ())]
        found: dict[str, Library] = {}
        while waiting:
            key = waiting.pop()
            if key in found or key not in self._installed:
                continue
            found[key] = self._library(key)
            waiting += list(_requirements(self._installed[key]))
        return tuple(found[key] for key in sorted(found))

    @cached_property
    def _installed(self) -> Mapping[str, importlib.metadata.Distribution]:
        paths = [str(folder) for folder in self.folders]
        return {_key(found.name): found for found in importlib.metadata.distributions(path=paths)}

    @cached_property
    def _tops(self) -> Mapping[str, frozenset[str]]:
        """Normalised name -> first parts of the paths in its list of files."""
        return {key: _tops(installed) for key, installed in self._installed.items()}

    @cached_property
    def _providers(self) -> Mapping[str, tuple[str, ...]]:
        """Importable top-level name -> distributions that bring files of that name."""
        providers: dict[str, list[str]] = {}
        for key, tops in self._tops.items():
            for name in {top.split(".")[0] for top in tops}:
                providers.setdefault(name, []).append(key)
        return {name: tuple(keys) for name, keys in providers.items()}

    def _library(self, key: str) -> Library:
        installed = self._installed[key]
        places = [Path(str(installed.locate_file(top))) for top in sorted(self._tops[key])]
        roots = tuple(place for place in places if place.exists())
        if not roots:
            raise EnclaveUnavailable(
                f"{installed.name} is installed without a list of its files; nothing was measured",
                hint=f"install it from a wheel again: pip install --force-reinstall {installed.name}",
            )
        files = sorted((_below(path, root.parent), Path(path)) for root in roots for path in _files_in(root))
        return Library(key, installed.version, roots, tuple(files))


def _tops(installed: importlib.metadata.Distribution) -> frozenset[str]:
    """Read from the text: importlib's own objects for some 50,000 files take seconds."""
    listed = _TOP.findall(installed.read_text("RECORD") or "")
    passed = ("..", _CACHED)
    return frozenset(top for top in listed if top not in passed and not top.endswith((".dist-info", ".pth")))


def _requirements(installed: importlib.metadata.Distribution) -> Iterator[str]:
    """Normalised names; those for other systems are simply not installed."""
    for requirement in installed.requires or ():
        name = _REQUIRED_NAME.match(requirement)
        if name and not _FOR_AN_EXTRA.search(requirement):
            yield _key(name.group(1))


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _below(path: str, folder: Path) -> str:
    return path[len(str(folder)) + 1 :].replace(os.sep, "/")


def _files_in(root: Path) -> Iterator[str]:
    """All files but Python's caches, which its sandbox does not read; bytecode outside of them can be imported."""
    if root.is_file():
        yield str(root)
        return
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name != _CACHED]
        if any(os.path.islink(os.path.join(folder, name)) for name in inner):
            raise EnclaveUnavailable(
                f"a folder in {folder} is a link elsewhere; nothing was measured",
                hint="install the library from a wheel again",
            )
        yield from (os.path.join(folder, name) for name in names)
