"""One secure sum as the coordinator asks for it, over Flower messages, against Flower's own SecAgg+.

10 silos x 2,000 parameters through the in-process grid: the real coordinator's exchange, the real client app
with its silo file, session and release gate, two messages per silo; only the training in the client is
replaced by a fixed vector. Rounds with distributed noise also draw each silo's share from its noise key, and
remember on its disk that it answered. Key agreement, once a run, is timed apart. Half of the rounds run before
Flower's SecAgg+, half after it, so that a machine that gets busier does not favour either.
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
from privacy.distributed_noise import DistributedSum, IntegerBlock, NoiseShares, noised_sum, read_sum
from privacy.quantization import FixedPoint
from privacy.wire import SumRequest, pack_vector
from server.run_plan import plan_run
from server.settings import RunSettings
from server.silo_exchange import SiloExchange, SiloSum
from server.sum_questions import FRACTION_BITS, MAX_ABS
from simulations.federation import FIRST_NODE, enrol_together
from simulations.in_process_grid import InProcessGrid, InProcessRun
from simulations.scenario import load_scenario
from simulations.world import make_world
from simulations.world_files import write_world

NOISED, NOISE_MULTIPLIER = "noised", 3.0
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
    half = size.repetitions // 2
    with federation.without_training():
        agreed = seconds_of(federation.agree)
        federation.rounds(3)  # imports, caches
        federation.rounds(3, noised=True)
        ours, noised = federation.rounds(half), federation.rounds(half, noised=True)
        same_grid = in_process_rounds(peer)
        on_ray = ray_rounds(peer)
        ours, noised = ours + federation.rounds(half), noised + federation.rounds(half, noised=True)
    name = f"{size.silos} silos x {size.values:,} parameters"
    ray_median = median(on_ray) if on_ray else float("nan")
    return (
        Line(f"secure round, {name}", 1e3 * median(ours), "ms", MILLISECONDS, ours),
        Line(
            f"secure round with distributed noise, {name}", 1e3 * median(noised), "ms", MILLISECONDS, noised
        ),
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
        shares = NoiseShares(survivors=size.silos, colluding=1)
        bound = 1.1 * float(np.linalg.norm(vectors, axis=1).max())
        self._release = DistributedSum((IntegerBlock(size.values, bound, NOISE_MULTIPLIER),), shares)
        self._noise_deviation = NOISE_MULTIPLIER * bound * (size.silos / shares.honest) ** 0.5
        self.largest_error = 0.0
        self.bytes_sent = 0

    def agree(self) -> None:
        """Introductions, invitations, keys."""
        plan = plan_run(self._settings, "benchmark", self._exchange.gather())
        self._exchange.start(plan.invitation)
        self._invitation = plan.invitation.digest

    def rounds(self, repetitions: int, *, noised: bool = False) -> tuple[float, ...]:
        """Seconds of each; every sum is checked against the one computed in floating point."""
        return tuple(self._round(noised) for _ in range(repetitions))

    @contextmanager
    def without_training(self) -> Iterator[None]:
        """Clients answer with their fixed vector instead of training."""

        def fixed(spec_path: Path, home: SiloHome, session: Session, request: SumRequest) -> Answer:
            vector = self._vectors[home.silo]
            if request.purpose != NOISED:
                return Answer(session, FixedPoint(request.fraction_bits, request.max_abs).quantize(vector))
            noise = home.noise_for(request.run_id, request.round, request.model_digest, once=True)
            return Answer(session, noised_sum(vector[None, :], self._release, noise))

        with patch("clients.answer_sum.answer_sum", fixed):
            yield

    def _round(self, noised: bool) -> float:
        request = SumRequest(
            run_id="benchmark",
            round=next(self._numbers),
            purpose=NOISED if noised else "exact",
            values=(self._model,),
            length=self._expected.size,
            fraction_bits=FRACTION_BITS,
            max_abs=MAX_ABS,
            invitation=self._invitation,
        )
        answers: list[SiloSum] = []
        seconds = seconds_of(lambda: answers.append(self._exchange.sum(request)))
        if noised:
            away = np.abs(read_sum(answers[0].integers, self._release) - self._expected)
            assert float(away.max()) < 10.0 * self._noise_deviation, "a sum is off beyond its noise"
        else:
            error = float(np.abs(answers[0].total / self._expected - 1.0).max())
            self.largest_error = max(self.largest_error, error)
        self.bytes_sent = answers[0].bytes_sent
        return seconds
