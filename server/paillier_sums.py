"""Sums under Paillier encryption: multiply the silos' ciphertexts, have the key holder open the product."""

from dataclasses import dataclass

from privacy.errors import PrivacyError
from privacy.paillier.aggregation import EncryptedUpdate, HeldRoster, OpenedSum
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.wire import OPEN, SumRequest, to_record
from server.collected_sum import Attendance, Collected
from server.errors import RoundAborted, SiloRefused
from server.settings import RunSettings
from server.silo_link import NoAnswer, Replies, SiloLink, largest_reply, read_reply


def require_long_enough(held: HeldRoster, settings: RunSettings) -> None:
    """Raise SiloRefused for a key holder whose modulus is shorter than the run asks for."""
    bits = held.holder.n.bit_length()
    if bits < settings.paillier_bits:
        raise SiloRefused(
            f"the key holder's modulus has {bits} bits, the run asks for {settings.paillier_bits}",
            hint="make a longer one with `mixroom key-holder create`, or lower paillier-bits",
        )


@dataclass(frozen=True)
class PaillierSums:
    """One message a silo and sum; `held.needed` silos must answer, and the key holder."""

    link: SiloLink
    held: HeldRoster

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        encrypted = EncryptedSum(self.held, request.encrypted(self.held.digest))
        for silo in self.held.roster.silos:
            try:
                encrypted.accept_update(read_reply(replies.get(silo), EncryptedUpdate, silo))
            except (NoAnswer, PrivacyError) as error:
                attendance.note(silo, error)
        attendance.require_enough(encrypted.silos, needed=self.held.needed)
        reply = self.link.ask_holder(OPEN, to_record(encrypted.open_request()))
        try:
            opened = read_reply(reply, OpenedSum, "")
            return Collected(encrypted.read(opened), opened.silos, largest_reply(replies))
        except (NoAnswer, PrivacyError) as error:
            raise RoundAborted(
                f"sum {request.round} was not opened by the key holder: {error}",
                hint="look at the key holder's own words; resume the run when it is back",
            ) from error
