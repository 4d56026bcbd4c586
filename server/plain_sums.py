"""Sums without protection: the coordinator reads each silo's vector, checks it, and combines them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.errors import MalformedMessage, PrivacyError
from privacy.quantization import FixedPoint
from privacy.sum_schedule import Purpose
from privacy.update_messages import PlainUpdate, unpack_integers
from privacy.wire import SumRequest
from server.clear_check import ClearCheck
from server.collected_sum import Attendance, Collected
from server.errors import RoundAborted, UpdateOutOfBounds
from server.robust_aggregation import RobustAggregation
from server.settings import RobustRule, RunSettings
from server.silo_link import NoAnswer, Replies, largest_reply, read_reply

Integers = NDArray[np.uint64]
SUM_BITS = 62  # a combined vector, read as signed, must fit 63 bits


@dataclass(frozen=True)
class PlainSums:
    """At least two thirds of the silos must answer, and as many as the robust rule needs."""

    check: ClearCheck
    robust: RobustAggregation

    @classmethod
    def of(cls, settings: RunSettings) -> "PlainSums":
        return cls(ClearCheck.of(settings), RobustAggregation.of(settings))

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        vectors: dict[str, Integers] = {}
        for silo in sorted(replies):
            try:
                vector = _checked_vector(read_reply(replies[silo], PlainUpdate, silo), request, silo)
                self._require_bounds(vector, request, silo)
                vectors[silo] = vector
            except (NoAnswer, PrivacyError, UpdateOutOfBounds) as error:
                attendance.note(silo, error)
        combine = self.robust.rule is not RobustRule.NONE and request.purpose == Purpose.ROUND
        needed = max(1, (2 * len(replies)) // 3, self.robust.fewest_silos if combine else 1)
        attendance.require_enough(tuple(vectors), needed=needed)
        total = self._combined(vectors, request) if combine else _sum(vectors, request)
        return Collected(total, tuple(vectors), largest_reply(replies))

    def _require_bounds(self, vector: Integers, request: SumRequest, silo: str) -> None:
        values = FixedPoint(request.fraction_bits, request.max_abs).dequantize(vector)
        if request.purpose == Purpose.SCALES:
            self.check.require_scales(values, silo)
        if request.purpose == Purpose.ROUND:
            self.check.require_round(values, _parameters(request), silo)

    def _combined(self, vectors: Mapping[str, Integers], request: SumRequest) -> Integers:
        """The rule's change in the form of a sum, so that the rest of a run need not know."""
        scale = FixedPoint(request.fraction_bits, request.max_abs)
        values = np.stack([scale.dequantize(vector) for vector in vectors.values()])
        total = self.robust.total(values, _parameters(request))
        try:
            return FixedPoint(request.fraction_bits, 2.0 ** (SUM_BITS - request.fraction_bits)).quantize(
                total
            )
        except PrivacyError as error:
            raise RoundAborted(
                f"sum {request.round} does not fit 64 bits", hint="set update-norm-bound and resume"
            ) from error


def _sum(vectors: Mapping[str, Integers], request: SumRequest) -> Integers:
    total = np.zeros(request.length, dtype=np.uint64)
    for vector in vectors.values():
        total += vector
    return total


def _parameters(request: SumRequest) -> int:
    """Number of shared parameters: a round's first group of values is the model."""
    return len(request.vectors()[0])


def _checked_vector(update: PlainUpdate, request: SumRequest, silo: str) -> Integers:
    """A clear vector of the right length, round and range; nonsense is never added."""
    vector = unpack_integers(update.vector)
    signed = vector.view(np.int64)
    # Not np.abs: the smallest int64 has no positive counterpart.
    largest = FixedPoint(request.fraction_bits, request.max_abs).largest_integer
    in_range = vector.shape == (request.length,) and bool(((-largest <= signed) & (signed <= largest)).all())
    if update.context != request.model_digest or not in_range:
        raise MalformedMessage(
            "the vector has the wrong length, round or range", silos=(silo,), hint="check the silo's client"
        )
    return vector
