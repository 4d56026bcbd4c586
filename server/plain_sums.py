"""Sums without protection: the coordinator reads each silo's vector and adds them up."""

import numpy as np
from numpy.typing import NDArray

from privacy.errors import MalformedMessage, PrivacyError
from privacy.quantization import FixedPoint
from privacy.wire import PlainUpdate, SumRequest, unpack_integers
from server.collected_sum import Attendance, Collected
from server.silo_link import NoAnswer, Replies, largest_reply, read_reply


class PlainSums:
    """At least two thirds of the silos must answer."""

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        total, silos = np.zeros(request.length, dtype=np.uint64), []
        for silo in sorted(replies):
            try:
                total += _checked_vector(read_reply(replies[silo], PlainUpdate, silo), request, silo)
                silos.append(silo)
            except (NoAnswer, PrivacyError) as error:
                attendance.note(silo, error)
        attendance.require_enough(silos, needed=max(1, (2 * len(replies)) // 3))
        return Collected(total, tuple(silos), largest_reply(replies))


def _checked_vector(update: PlainUpdate, request: SumRequest, silo: str) -> NDArray[np.uint64]:
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
