"""A federation on one machine: the real client and server apps, called in process, silo by silo."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flwr.app import UserConfig
from flwr.clientapp import ClientApp

from clients.settings import SILO_KEY
from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.reporting.report_files import write_report
from privacy.identity import PinnedPeers
from server.settings import RunSettings
from simulations.errors import SimulationError
from simulations.in_process_grid import run_in_process
from simulations.local_enclave import with_local_enclave
from simulations.local_key_holder import local_key_holder

FIRST_NODE = 101


def train_in_process(
    specs: Sequence[Path], settings: RunSettings, *, client: Callable[[ClientApp], ClientApp] | None = None
) -> Path:
    """Train over the silos of these files and return the run directory.

    The same apps `flwr run` starts. All silos are served by this process, so they also learn each other's
    public keys here; between organisations every owner pins its peers' keys itself. `client` may change what
    the silos run, for attacks.
    """
    from clients.app import app as client_app  # Flower and torch load here, not with `mixroom --help`
    from server.app import app as server_app

    enrol_together(specs)
    nodes: dict[int, UserConfig] = {
        FIRST_NODE + index: {SILO_KEY: str(path.resolve())} for index, path in enumerate(specs)
    }
    whole = with_local_enclave(
        specs,
        settings.model_copy(update={"expected_silos": len(specs), "out": str(settings.directory.resolve())}),
    )
    with local_key_holder(specs, whole) as holder_nodes:
        run_in_process(
            server_app,
            client(client_app) if client else client_app,
            run_config=whole.to_run_config(),
            node_configs={**nodes, **holder_nodes},
        )
    write_report(whole.directory)
    return whole.directory


def enrol_together(specs: Sequence[Path]) -> None:
    """Pin every silo's public key at every other silo. For silos that one person runs."""
    homes = [SiloHome.of(read_silo_spec(path)) for path in specs]
    names = [home.silo for home in homes]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SimulationError(
            f"several silo files are named {', '.join(repeated)}; nothing was started",
            hint="give every silo file its own `silo = ...`",
        )
    keys = {home.silo: home.identity.public_key for home in homes}
    for home in homes:
        PinnedPeers(keys).save(home.peers_path)
