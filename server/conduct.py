"""One run from settings to finished directory; the shell around `rounds.train_federated`."""

import sys
import time

from mmm_models.reporting.result_files import write_results
from server.rounds import train_federated
from server.run_statement import write_statement
from server.run_store import RoundMetrics, RunStore
from server.settings import RunSettings
from server.silo_exchange import SiloExchange


def conduct_run(exchange: SiloExchange, settings: RunSettings) -> None:
    """Train, then write results and what the run states about itself into the run directory."""
    store = RunStore.create(settings)
    began = time.perf_counter()
    finished = train_federated(exchange, settings, store, _narrate(settings))
    write_results(finished.results, store.directory)
    write_statement(finished, settings, store, seconds=time.perf_counter() - began)


def _narrate(settings: RunSettings) -> "_Narrator":
    return _Narrator(settings.rounds, settings.epsilon)


class _Narrator:
    """One line per round on stderr."""

    def __init__(self, rounds: int, epsilon: float) -> None:
        self._rounds = rounds
        self._epsilon = epsilon

    def __call__(self, metrics: RoundMetrics) -> None:
        fit = (
            ""
            if metrics.loss != metrics.loss
            else f" loss {metrics.loss:.4f} hold-out nRMSE {metrics.nrmse:.4f}"
        )
        spent = f" epsilon {self._epsilon:g} charged" if self._epsilon else ""
        progress = f"mixroom: round {metrics.round}/{self._rounds}"
        sys.stderr.write(f"{progress}{fit} silos {metrics.silos} {metrics.seconds:.2f} s{spent}\n")
