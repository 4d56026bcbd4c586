"""Flower's own SecAgg+ (legacy API) at the same size, for comparison only: its masks have 28-bit seeds.

Every client returns the same vector without training; all clients share keys with all, and seven in ten
shares reconstruct. A round is one call of Flower's `SecAggPlusWorkflow`: four messages per client. Timed on
Flower's Ray simulation in a process of its own, and on the in-process grid that our rounds use.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context, UserConfig
from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import NDArrays, ndarrays_to_parameters
from flwr.compat.client.client import Client
from flwr.server import LegacyContext, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.serverapp import Grid, ServerApp

from benchmarks.stopwatch import seconds_of
from simulations.in_process_grid import run_in_process

RECONSTRUCTION_SHARE = 0.7
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class PeerCase:
    """How many silos, how many parameters, how many rounds; the first round of a simulation starts Ray."""

    silos: int
    values: int
    rounds: int


@dataclass(frozen=True)
class ConstantClient:
    """Makes clients that return a constant vector; a class because Ray sends it to its workers."""

    values: int

    def __call__(self, context: Context) -> Client:
        return _Constant(self.values).to_client()


class _Constant(NumPyClient):
    def __init__(self, values: int) -> None:
        self._values = values

    def fit(self, parameters: NDArrays, config: dict[str, bool | bytes | float | int | str]):  # type: ignore[no-untyped-def]
        return [np.full(self._values, 0.5)], 1, {}


def client_app(case: PeerCase) -> ClientApp:
    """A client behind Flower's SecAgg+ mod."""
    return ClientApp(client_fn=ConstantClient(case.values), mods=[secaggplus_mod])


def server_app(case: PeerCase, report: Callable[[float], object]) -> ServerApp:
    """A server that runs the workflow and reports each round's seconds."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        everyone = {"min_fit_clients": case.silos, "min_available_clients": case.silos}
        start = ndarrays_to_parameters([np.zeros(case.values)])
        strategy = FedAvg(fraction_evaluate=0.0, initial_parameters=start, **everyone)  # type: ignore[arg-type]
        config = ServerConfig(num_rounds=case.rounds)
        secure = SecAggPlusWorkflow(num_shares=1.0, reconstruction_threshold=RECONSTRUCTION_SHARE)

        def timed(grid: Grid, context: Context) -> None:
            report(seconds_of(lambda: secure(grid, context)))

        DefaultWorkflow(fit_workflow=timed)(grid, LegacyContext(context, config, strategy))

    return app


def in_process_rounds(case: PeerCase) -> tuple[float, ...]:
    """Seconds per round on the in-process grid."""
    seconds: list[float] = []
    nodes: dict[int, UserConfig] = {100 + index: {"partition-id": index} for index in range(case.silos)}
    flower_log = logging.getLogger("flwr")
    level = flower_log.level
    flower_log.setLevel(logging.ERROR)  # a dozen lines a round
    try:
        run_in_process(server_app(case, seconds.append), client_app(case), run_config={}, node_configs=nodes)
    finally:
        flower_log.setLevel(level)
    return tuple(seconds)


def ray_rounds(case: PeerCase) -> tuple[float, ...]:
    """Seconds per round, the first left out, of Flower's simulation; empty when Ray is not installed."""
    if not _has_ray():
        return ()
    root = str(Path(__file__).resolve().parents[1])
    command = [
        sys.executable,
        "-m",
        "benchmarks.secagg_plus",
        *map(str, (case.silos, case.values, case.rounds)),
    ]
    ran = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": root},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if ran.returncode or not ran.stdout.strip():
        raise RuntimeError(f"Flower's simulation failed: {ran.stderr[-2000:]}")
    return tuple(json.loads(ran.stdout.strip().splitlines()[-1]))[1:]


def simulate(case: PeerCase) -> None:
    """Run the simulation in this process and print the seconds of all rounds as JSON."""
    from flwr.simulation import run_simulation

    seconds: list[float] = []
    run_simulation(
        server_app(case, seconds.append),
        client_app(case),
        num_supernodes=case.silos,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    print(json.dumps(seconds), flush=True)


def _has_ray() -> bool:
    from importlib.util import find_spec

    return find_spec("ray") is not None


if __name__ == "__main__":
    # Imported again under its own name: Ray's workers cannot load classes of `__main__`.
    from benchmarks import secagg_plus

    secagg_plus.simulate(secagg_plus.PeerCase(*map(int, sys.argv[1:])))
