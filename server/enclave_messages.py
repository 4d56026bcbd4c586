"""What coordinator and sum enclave say to each other; the enclave answers each message with one."""

from dataclasses import dataclass

from privacy.attested_sums.sum_terms import SumQuestion, SumTerms
from privacy.done_or_refused import Done as Done
from privacy.done_or_refused import Refused as Refused
from privacy.masks.secure_aggregation import KeyRoster, UnmaskRequest


@dataclass(frozen=True)
class Begin:
    """Serve this run, without masks; answered by Attested. Once for each enclave."""

    terms: SumTerms


@dataclass(frozen=True)
class BeginMasked:
    """Serve this run, whose vectors come masked; answered by Attested. Once for each enclave."""

    terms: SumTerms
    roster: KeyRoster


@dataclass(frozen=True)
class Attested:
    """The attestation document: these terms, this enclave's key."""

    document: bytes


@dataclass(frozen=True)
class Ask:
    """The next sum; answered by Done. Closes the one before."""

    question: SumQuestion


@dataclass(frozen=True)
class Take:
    """A silo's sealed update of the sum asked for; answered by Done, or Refused when it is left out."""

    silo: str
    sealed: bytes


@dataclass(frozen=True)
class Close:
    """No more updates: answered by Opened, or Unmasking where vectors are masked."""


@dataclass(frozen=True)
class Unmasking:
    """What silos must be asked; `at_odds`: silos whose masks do not fit the others', which were left out."""

    requests: tuple[UnmaskRequest, ...]
    at_odds: tuple[str, ...]


@dataclass(frozen=True)
class TakeReply:
    """A silo's sealed shares; answered by Done, or Refused when they are left out."""

    silo: str
    sealed: bytes


@dataclass(frozen=True)
class Finish:
    """No more shares; answered by Opened."""


@dataclass(frozen=True)
class Opened:
    """The sum over `silos`, modulo 2^64, little endian. `faulty`: silos that sent wrong shares."""

    silos: tuple[str, ...]
    total: bytes
    faulty: tuple[str, ...]


TO_ENCLAVE = (Begin, BeginMasked, Ask, Take, Close, TakeReply, Finish)
FROM_ENCLAVE = (Attested, Done, Unmasking, Opened, Refused)
