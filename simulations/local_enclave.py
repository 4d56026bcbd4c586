"""An emulated enclave's root for silos that one person runs: made beside their files, pinned by every silo."""

from collections.abc import Sequence
from pathlib import Path

from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from privacy.enclave.emulated_platform import EmulatedPlatform
from server.settings import RunSettings


def with_local_enclave(specs: Sequence[Path], settings: RunSettings) -> RunSettings:
    """The settings with a place for the root, which every silo trusts now; unchanged for a run without an enclave.

    The root stays in `.mixroom/enclave` beside the first silo file unless the settings name a place: a resumed run, and
    the next one, find it there.
    """
    if not settings.enclave:
        return settings
    beside = specs[0].resolve().parent / ".mixroom" / "enclave"
    folder = settings.enclave_directory if settings.enclave_home else beside
    root = EmulatedPlatform.open(folder).root
    for spec in specs:
        SiloHome.of(read_silo_spec(spec)).pin_enclave_root(root)
    return settings.model_copy(update={"enclave_home": str(folder.resolve())})
