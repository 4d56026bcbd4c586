"""The masking protocol alone, without messages: every silo and the coordinator, state stored in between.

Compared over numbers of silos, lengths and dropouts; no training, no Flower. Every silo adds its share of discrete
Gaussian noise, as distributed differential privacy asks for. Every repetition is checked against the plain sum of
the silos that stayed.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import median
from privacy.discrete_gaussian import LARGEST_DRAW
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, join_roster, offer_key
from privacy.masks.mask_coordinator import MaskedRound, UnmaskedSum
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import KeyOffer, SiloMaskState
from privacy.masks.secure_aggregation import KeyRoster, MaskRequest
from privacy.quantization import FixedPoint
from privacy.secure_noise import SecureNoise

RUN = "benchmark"


@dataclass(frozen=True)
class RoundCase:
    """One line of the table. `dropouts` answer no message, `late_dropouts` only the first."""

    silos: int
    values: int
    dropouts: int = 0
    late_dropouts: int = 0
    repetitions: int = 21
    bar: Bar | None = None


@dataclass(frozen=True)
class RoundTiming:
    """Bytes are what one silo sends in one round; the error is how far a sum is off beyond what noise can do."""

    case: RoundCase
    key_agreement_seconds: float
    round_seconds: tuple[float, ...]
    sent_bytes: int
    error: float


CASES = (
    RoundCase(silos=5, values=2_000),
    RoundCase(silos=10, values=2_000),
    RoundCase(silos=10, values=2_000, dropouts=2, late_dropouts=1),
    RoundCase(silos=50, values=2_000, dropouts=2, repetitions=5, bar=Bar(500.0)),
    RoundCase(silos=10, values=1_000_000, repetitions=3, bar=Bar(3000.0)),
)
TOY_CASES = (RoundCase(silos=5, values=20, dropouts=1, repetitions=2),)
EXACTNESS = Bar(1e-6)


def measure(setting: Setting) -> tuple[Line, ...]:
    """One line per case, and the largest error of all."""
    timings = [time_case(case) for case in (TOY_CASES if setting.quick else CASES)]
    lines = [
        Line(
            name_of(timing.case),
            1e3 * median(timing.round_seconds),
            "ms",
            timing.case.bar,
            values=timing.round_seconds,
        )
        for timing in timings
    ]
    worst = max(timing.error for timing in timings)
    return (*lines, Line("largest error of a sum beyond its noise", worst, "", EXACTNESS))


def name_of(case: RoundCase) -> str:
    """In words."""
    lost = f", {case.dropouts} + {case.late_dropouts} drop out" if case.dropouts + case.late_dropouts else ""
    return f"{case.silos} silos x {case.values:,} values{lost}"


class Federation:
    """All silos of a run, and what they store."""

    def __init__(self, n_silos: int) -> None:
        identities = [SiloIdentity.generate(f"silo-{k:02d}") for k in range(n_silos)]
        peers = PinnedPeers({identity.silo: identity.public_key for identity in identities})
        offers = [offer_key(identity, RUN).to_bytes() for identity in identities]
        self.roster: KeyRoster = build_roster([KeyOffer.from_bytes(offer).advert for offer in offers])
        self.stored = {
            identity.silo: join_roster(KeyOffer.from_bytes(offer), self.roster, peers).to_bytes()
            for identity, offer in zip(identities, offers, strict=True)
        }
        self.sent_bytes = 0
        self.noise = SecureNoise()

    def round(self, number: int, vectors: NDArray[np.float64], case: RoundCase) -> UnmaskedSum:
        """One whole round; the last silos of the roster drop out."""
        scale = FixedPoint()
        request = MaskRequest(RUN, number, bytes(32), self.roster.digest, case.values, scale.fraction_bits)
        current = MaskedRound(self.roster, request)
        for silo, vector in list(zip(self.roster.silos, vectors, strict=True))[: case.silos - case.dropouts]:
            noised = scale.quantize(vector) + self.noise.discrete_gaussian((case.values,)).view(np.uint64)
            masked = mask_update(SiloMaskState.from_bytes(self.stored[silo]), request, noised)
            self.stored[silo] = masked.state.to_bytes()
            self.sent_bytes = masked.message.masked.nbytes + sum(map(len, masked.message.boxes))
            self.sent_bytes += len(masked.message.commitments)
            current.accept_update(masked.message)
        requests = current.unmask_requests()
        share_bytes = 0
        for unmask in requests[: len(requests) - case.late_dropouts]:
            answer = answer_unmask(SiloMaskState.from_bytes(self.stored[unmask.silo]), unmask)
            self.stored[unmask.silo] = answer.state.to_bytes()
            share_bytes = len(answer.message.self_shares) + len(answer.message.pair_shares)
            current.accept_reply(answer.message)
        self.sent_bytes += share_bytes
        return current.finish()


def time_case(case: RoundCase) -> RoundTiming:
    """Key agreement, then `case.repetitions` whole rounds."""
    start = time.perf_counter()
    federation = Federation(case.silos)
    agreed = time.perf_counter() - start
    vectors = np.random.default_rng(0).normal(1.0, 0.1, (case.silos, case.values))
    expected = vectors[: case.silos - case.dropouts].sum(axis=0)
    seconds, error = [], 0.0
    largest_noise = np.ldexp(float(case.silos * LARGEST_DRAW), -FixedPoint().fraction_bits)
    for number in range(1, case.repetitions + 1):
        start = time.perf_counter()
        result = federation.round(number, vectors, case)
        total = FixedPoint().dequantize(result.total)
        seconds.append(time.perf_counter() - start)
        error = max(error, float(np.abs(total - expected).max()) - largest_noise)
    return RoundTiming(case, agreed, tuple(seconds), federation.sent_bytes, error)
