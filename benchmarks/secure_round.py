"""One secure sum as the coordinator asks for it, over Flower messages, against Flower's own SecAgg+.

10 silos x 2,000 parameters through the in-process grid: the real coordinator's exchange, the real client app
with its silo file, session and release gate, two messages per silo; only the training in the client is
replaced by a fixed vector. Key agreement, once a run, is timed apart. Half of the rounds run before Flower's
SecAgg+, half after it, so that a machine that gets busier does not favour either.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from unittest.mock import patch

import numpy as np
from flwr.app import UserConfig

from benchmarks.line import Bar, Line, Setting
from benchmarks.secagg_plus import PeerCase, in_process_rounds, ray_rounds
from benchmarks.stopwatch import median, seconds_of
from clients.answer_sum import Answer
from clients.app import app as client_app
from clients.session import Session
from clients.settings import SILO_KEY
from clients.silo_home import SiloHome
from privacy.wire import SumRequest, pack_vector
from server.rounds import FRACTION_BITS, MAX_ABS
from server.run_plan import plan_run
from server.settings import RunSettings
from server.silo_exchange import SiloExchange, SiloSum
from simulations.federation import FIRST_NODE, enrol_together
from simulations.in_process_grid import InProcessGrid, InProcessRun
from simulations.scenario import load_scenario
from simulations.world import make_world
from simulations.world_files import write_world

MILLISECONDS, TIMES_FASTER, EXACTNESS = Bar(15.0), Bar(30.0, at_least=True), Bar(1e-6)


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    silos: int = 10
    values: int = 2_000
    repetitions: int = 40
    peer_rounds: int = 8


def measure(setting: Setting) -> tuple[Line, ...]:
    """Medians; the ratio to SecAgg+ on the same grid leaves Ray's share out."""
    size = Size(silos=3, values=20, repetitions=4, peer_rounds=2) if setting.quick else Size()
    peer = PeerCase(size.silos, size.values, size.peer_rounds)
    federation = Federation(setting.scratch / "secure-round", size)
    with federation.without_training():
        agreed = seconds_of(federation.agree)
        federation.rounds(3)  # imports, caches
        ours = federation.rounds(size.repetitions // 2)
        same_grid = in_process_rounds(peer)
        on_ray = ray_rounds(peer)
        ours += federation.rounds(size.repetitions // 2)
    name = f"{size.silos} silos x {size.values:,} parameters"
    ray_median = median(on_ray) if on_ray else float("nan")
    return (
        Line(f"secure round, {name}", 1e3 * median(ours), "ms", MILLISECONDS, ours),
        Line("Flower's SecAgg+, its simulation", 1e3 * ray_median, "ms", values=on_ray),
        Line("faster than Flower's SecAgg+, its simulation", ray_median / median(ours), "x", TIMES_FASTER),
        Line("Flower's SecAgg+, our in-process grid", 1e3 * median(same_grid), "ms", values=same_grid),
        Line("faster than Flower's SecAgg+, same grid", median(same_grid) / median(ours), "x"),
        Line("masked sum against floating-point sum", federation.largest_error, "", EXACTNESS),
        Line("bytes one silo sends per round", federation.bytes_sent / 1e3, "kB"),
        Line("key agreement, once a run", 1e3 * agreed, "ms"),
    )


class Federation:
    """Silos of a tiny world on disk and the coordinator's exchange with them."""

    def __init__(self, directory: Path, size: Size) -> None:
        scenario = load_scenario("demo").model_copy(
            update={"silos": size.silos, "units_per_silo": 1, "weeks": 30, "holdout_weeks": 4}
        )
        specs = write_world(make_world(scenario), directory).specs
        enrol_together(specs)
        nodes: dict[int, UserConfig] = {
            FIRST_NODE + index: {SILO_KEY: str(path)} for index, path in enumerate(specs)
        }
        grid = InProcessGrid(client_app, InProcessRun(node_configs=nodes, run_config={}))
        self._settings = RunSettings(expected_silos=size.silos)
        self._exchange = SiloExchange(grid, self._settings)
        self._numbers = count(1)
        self._model = pack_vector(np.zeros(size.values))
        vectors = np.random.default_rng(0).normal(1.0, 0.1, (size.silos, size.values))
        self._vectors = {path.stem: vector for path, vector in zip(specs, vectors, strict=True)}
        self._expected = vectors.sum(axis=0)
        self._invitation = b""
        self.largest_error = 0.0
        self.bytes_sent = 0

    def agree(self) -> None:
        """Introductions, invitations, keys."""
        plan = plan_run(self._settings, "benchmark", self._exchange.gather())
        self._exchange.start(plan.invitation)
        self._invitation = plan.invitation.digest

    def rounds(self, repetitions: int) -> tuple[float, ...]:
        """Seconds of each; every sum is checked against the one computed in floating point."""
        return tuple(self._round() for _ in range(repetitions))

    @contextmanager
    def without_training(self) -> Iterator[None]:
        """Clients answer with their fixed vector instead of training."""

        def fixed(spec_path: Path, home: SiloHome, session: Session, request: SumRequest) -> Answer:
            return Answer(session, self._vectors[home.silo])

        with patch("clients.answer_sum.answer_sum", fixed):
            yield

    def _round(self) -> float:
        request = SumRequest(
            run_id="benchmark",
            round=next(self._numbers),
            purpose="round",
            values=(self._model,),
            length=self._expected.size,
            fraction_bits=FRACTION_BITS,
            max_abs=MAX_ABS,
            invitation=self._invitation,
        )
        answers: list[SiloSum] = []
        seconds = seconds_of(lambda: answers.append(self._exchange.sum(request)))
        error = float(np.abs(answers[0].total / self._expected - 1.0).max())
        self.largest_error = max(self.largest_error, error)
        self.bytes_sent = answers[0].bytes_sent
        return seconds
