"""Asking for sums that no silo answers twice: each answer is stored before it is used, a lost one stays lost."""

from dataclasses import dataclass, replace

from privacy.wire import SumRequest
from server.errors import SumLost
from server.run_store import RunStore
from server.silo_exchange import SiloExchange, SiloSum
from server.sum_store import SumStore

SUMS = "sums"
MOST_TRIES = 3


@dataclass(frozen=True)
class Asking:
    """`once`: silos answer each sum at most once ever (`RunPlan.answered_once`)."""

    exchange: SiloExchange
    store: RunStore
    once: bool

    @property
    def kept(self) -> SumStore:
        return SumStore(self.store.directory / SUMS)

    def sum(self, request: SumRequest) -> SiloSum:
        """The sum, from the disk if an earlier start of this run got it. Raises RoundAborted or SumLost."""
        if not self.once:
            return self._fresh(request)
        stored = self.kept.load(request)
        if stored is not None:
            return stored
        if self.kept.was_asked(request):
            raise SumLost(request.purpose)
        self.kept.note_asked(request)
        answer = self._fresh(request)
        self.kept.save(request, answer)
        return answer

    def sum_or_next(self, request: SumRequest) -> SiloSum:
        """The sum, under the next number when it is lost; for sums without noise, which no schedule numbers.

        Raises RoundAborted, or SumLost after a few tries.
        """
        for _ in range(MOST_TRIES - 1):
            try:
                return self.sum(request)
            except SumLost:
                self.store.event("sum_lost", sum=request.round, purpose=request.purpose)
                request = replace(request, round=request.round + 1)
        return self.sum(request)

    def _fresh(self, request: SumRequest) -> SiloSum:
        answer = self.exchange.sum(request)
        for failure in answer.failures:
            self.store.event("silo_failed", sum=request.round, silo=failure.silo, reason=failure.reason)
        return answer
