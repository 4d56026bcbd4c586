"""Sums inside an attested enclave: the coordinator hands over what silos sealed, and gets the sum or a refusal."""

from dataclasses import dataclass

from privacy.errors import EnclaveFailed, PrivacyError
from privacy.update_messages import unpack_integers
from privacy.wire import UNMASK, SealedUpdate, SumRequest, to_record
from server.collected_sum import Attendance, Collected
from server.enclave_host import EnclaveHost
from server.enclave_messages import Close, Done, Finish, Opened, Take, TakeReply, Unmasking
from server.errors import RoundAborted, SumLost
from server.silo_link import NoAnswer, Replies, SiloLink, largest_reply, read_reply


@dataclass(frozen=True)
class EnclaveSums:
    """One message a silo and sum, two with masks; `host.needed` silos must answer.

    A sum that was in an enclave when it died is lost (SumLost): no silo answers it again. The next one starts anew.
    """

    link: SiloLink
    host: EnclaveHost
    is_masked: bool

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        try:
            taken = self._hand_over(Take, replies, attendance)
            attendance.require_enough(taken, needed=self.host.needed)
            opened, shares = self._unmasked(attendance) if self.is_masked else (self._opened(Close()), {})
        except EnclaveFailed as error:
            self.host.close()
            raise SumLost(request.purpose) from error
        except PrivacyError as error:
            raise RoundAborted(
                f"sum {request.round} was not opened by the enclave: {error}", hint=error.hint
            ) from error
        for silo in opened.faulty:
            attendance.note(silo, "sent wrong shares")
        attendance.require_enough(opened.silos, needed=self.host.needed)
        total = unpack_integers(opened.total)
        return Collected(total, opened.silos, largest_reply(replies) + largest_reply(shares))

    def _unmasked(self, attendance: Attendance) -> tuple[Opened, Replies]:
        """Ask the silos that the enclave names for the seeds of their masks, then have the sum opened."""
        asked = self.host.ask(Close(), Unmasking)
        for silo in asked.at_odds:
            attendance.note(silo, "its masks do not cancel with its peers'")
        alive = tuple(item.silo for item in asked.requests)
        attendance.require_enough(alive, needed=self.host.needed)
        shares = self.link.send({item.silo: (UNMASK, to_record(item)) for item in asked.requests})
        replied = self._hand_over(TakeReply, shares, attendance)
        attendance.require_enough(replied, needed=self.host.needed)
        return self._opened(Finish()), shares

    def _opened(self, message: Close | Finish) -> Opened:
        return self.host.ask(message, Opened)

    def _hand_over(
        self, kind: type[Take] | type[TakeReply], replies: Replies, attendance: Attendance
    ) -> tuple[str, ...]:
        """Silos whose sealed message the enclave took; the others are noted."""
        taken = []
        for silo in sorted(replies):
            try:
                update = read_reply(replies[silo], SealedUpdate, silo)
                self.host.ask(kind(silo, update.sealed), Done)
                taken.append(silo)
            except EnclaveFailed:
                raise
            except (NoAnswer, PrivacyError) as error:
                attendance.note(silo, error)
        return tuple(taken)
