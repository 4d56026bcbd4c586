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
    try:
        finished = train_federated(exchange, settings, store, _narrate(settings))
    finally:
        exchange.close()
    write_results(finished.results, store.directory)
    write_statement(finished, settings, store, seconds=time.perf_counter() - began)


def _narrate(settings: RunSettings) -> "_Narrator":
    return _Narrator(settings, every_round=sys.stderr.isatty())


class _Narrator:
    """A line per round on stderr where somebody watches, else for the first, the last and every tenth part."""

    def __init__(self, settings: RunSettings, *, every_round: bool) -> None:
        self._settings = settings
        self._tenth = 1 if every_round else max(1, settings.planned_rounds // 10)

    def __call__(self, metrics: RoundMetrics) -> None:
        rounds, expected = self._settings.planned_rounds, self._settings.expected_silos
        if metrics.round not in (1, rounds) and metrics.round % self._tenth and metrics.silos >= expected:
            return
        more = metrics.round - rounds
        parts = [
            f"mixroom: calibrating, round {more}" if more > 0 else f"mixroom: round {metrics.round}/{rounds}"
        ]
        if metrics.loss == metrics.loss:
            parts.append(f"loss {metrics.loss:.4f}")
        if metrics.nrmse == metrics.nrmse:
            parts.append(f"hold-out nRMSE {metrics.nrmse:.4f}")
        parts += [f"silos {metrics.silos}/{expected}", f"{metrics.seconds:.2f} s"]
        if self._settings.epsilon:
            parts.append(f"epsilon {self._settings.epsilon:g} charged")
        sys.stderr.write(", ".join(parts) + "\n")
