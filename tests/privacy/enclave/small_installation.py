"""A program of a few modules with two installed libraries, laid out in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.installed_libraries import InstalledLibraries
from privacy.enclave.measuring import MeasuredProgram
from privacy.enclave.program_files import ProgramFiles, files_of

PROGRAM = EnclaveProgram("small worker", "room.worker")
PROFILE = b'{"isolation":"full"}'

SOURCES = {
    "constraints.txt": "engine==1.0\n",
    "room/__init__.py": "",
    "room/worker/__init__.py": "",
    "room/worker/__main__.py": "from room.worker.job import run\nimport json\nrun(json)\n",
    "room/worker/job.py": "import engine.query\nfrom .. import rules\n\ndef run(x):\n    from room import late\n",
    "room/rules.py": "import importlib\nimportlib.import_module('guard.seal')\n",
    "room/late.py": "import missing_library\n",
    "room/service.py": "import webframework\n",
    "guard/__init__.py": "",
    "guard/seal.py": "x = 1\n",
    "guard/unused.py": "import webframework\n",
}
LIBRARIES = {
    "engine/__init__.py": "",
    "engine/query.py": "y = 2\n",
    "engine/core.so": "\x7fELF",
    "engine/__pycache__/query.cpython-311.pyc": "cached",
    "engine-1.0.dist-info/METADATA": (
        "Name: engine\nVersion: 1.0\nRequires-Dist: Number_Tools>=2\n"
        "Requires-Dist: plotting; extra == 'all'\nRequires-Dist: absent; sys_platform == 'win32'\n"
    ),
    "engine-1.0.dist-info/RECORD": "engine/__init__.py,,\nengine/query.py,,\nengine/core.so,,\n../../bin/engine,,\n",
    "numbers_.py": "z = 3\n",
    "number_tools-2.1.dist-info/METADATA": "Name: number-tools\nVersion: 2.1\n",
    "number_tools-2.1.dist-info/RECORD": "numbers_.py,,\n__pycache__/numbers_.cpython-311.pyc,,\n",
    "plotting/__init__.py": "",
    "plotting-1.0.dist-info/METADATA": "Name: plotting\nVersion: 1.0\n",
    "plotting-1.0.dist-info/RECORD": "plotting/__init__.py,,\n",
    "webframework/__init__.py": "",
    "webframework-1.0.dist-info/METADATA": "Name: webframework\nVersion: 1.0\n",
    "webframework-1.0.dist-info/RECORD": "webframework/__init__.py,,\n",
}


@dataclass(frozen=True)
class SmallInstallation:
    """Where the program and its libraries lie."""

    sources: Path
    site: Path

    @classmethod
    def in_folder(cls, folder: Path) -> SmallInstallation:
        """Written anew."""
        made = cls(folder / "checkout", folder / "site-packages")
        _write(made.sources, SOURCES)
        _write(made.site, LIBRARIES)
        return made

    @property
    def libraries(self) -> InstalledLibraries:
        return InstalledLibraries((self.site,))

    def files(self, program: EnclaveProgram = PROGRAM) -> ProgramFiles:
        return files_of(program, sources=self.sources, libraries=self.libraries)

    def measured(self, profile: bytes = PROFILE) -> MeasuredProgram:
        return MeasuredProgram(PROGRAM, profile, sources=self.sources, libraries=self.libraries)

    def write(self, name: str, text: str) -> None:
        """A file of the program or, below `site/`, of a library."""
        path = self.site / name.removeprefix("site/") if name.startswith("site/") else self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
