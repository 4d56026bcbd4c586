"""Named refusals and failures of the privacy package, one root, each with a next action in `hint`.

Messages never hold values, keys, identifiers of people or group sizes; they name silos, rounds and limits.
"""

from collections.abc import Iterable
from pathlib import Path


class PrivacyError(Exception):
    """Root of every refusal and failure in this package."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InvalidSetting(PrivacyError):
    """A setting lies outside the range in which the guarantee was proved."""


class ValueOutOfRange(PrivacyError):
    """A value is not finite or exceeds the bound that every silo agreed to keep."""


class CapacityExceeded(PrivacyError):
    """So many silos could overflow the 64-bit sum at this range and resolution."""


class IdentityUnusable(PrivacyError):
    """A silo's signing key or its file of pinned peers cannot be used."""


class UntrustedPeer(PrivacyError):
    """A peer's key is not pinned, not signed by the pinned key, or unusable."""


class RosterRefused(PrivacyError):
    """The roster breaks this silo's own rules for whom it computes a sum with."""


class RoundRefused(PrivacyError):
    """The round does not go on as asked: replayed, closed, or not of the run and roster agreed on."""


class UnmaskRefused(PrivacyError):
    """The silo does not help to unmask: the request could reveal more than one agreed sum."""


class MaskStateDamaged(PrivacyError):
    """A silo's stored masking state is incomplete, altered or of another version."""


class SiloFault(PrivacyError):
    """Something named silos did; `silos` lets the coordinator exclude them or abort, as its policy says."""

    def __init__(self, message: str, *, silos: Iterable[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.silos = tuple(silos)


class ShareRejected(SiloFault):
    """A share does not open under this round's context: tampered with, replayed, or from another round."""


class MalformedMessage(SiloFault):
    """A silo's message has the wrong shape, sender or round."""


class MasksDisagree(SiloFault):
    """Two silos committed to different pairwise masks: the sum would be noise."""


class TooFewSilos(PrivacyError):
    """Fewer silos answered than the threshold; nothing can be or was unmasked."""


class ReconstructionFailed(PrivacyError):
    """The answers do not rebuild the committed mask seeds; no sum was computed."""


class BudgetExhausted(PrivacyError):
    """The charge would take a silo past its lifetime limit; nothing was charged and no data were read.

    All four are epsilons at the limit's delta; `spent` and `asked` compose to `limit + missing`.
    """

    def __init__(
        self, message: str, *, spent: float, asked: float, limit: float, missing: float, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.spent = spent
        self.asked = asked
        self.limit = limit
        self.missing = missing


class ChargeConflict(PrivacyError):
    """A charge with this run and name exists with other events; nothing was charged."""


class LedgerFault(PrivacyError):
    """Something is wrong with a ledger on the disk; `path` is what its owner should look at.

    The path is not part of the message: refusals are told to the coordinator, who need not know a silo's disk.
    """

    def __init__(self, message: str, *, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class LedgerDamaged(LedgerFault):
    """The ledger's file is not the chain of entries that was written; nothing may be charged against it."""


class LedgerRolledBack(LedgerDamaged):
    """The ledger lacks charges that are known to have been made; `path` is what knows of them."""


class LedgerUnwritable(LedgerFault):
    """The ledger, or the note of how far it has come, could not be written; no data were read."""


class NetworkUnsuitable(PrivacyError):
    """The network does not allow exact gradients per unit, so no clipping could bound a unit's influence."""


class ModulusRefused(PrivacyError):
    """The key holder's Paillier modulus is too short or unsound; the silo encrypts nothing under it."""


class HolderUnusable(PrivacyError):
    """The key holder's private key or its record of opened sums cannot be used; no sum was opened."""


class HolderGone(PrivacyError):
    """The key holder's process ended without an answer."""


class OpeningRefused(PrivacyError):
    """The key holder does not open the sum: too few silos, another sum under a used number, or not that sum."""


class NotCanonical(PrivacyError):
    """A value has no canonical JSON text: it holds something other than JSON's own values."""


class SignatureRefused(PrivacyError):
    """The document is not one of this kind, signed by the key it should be; it was not used.

    One error for every cause, so that nobody learns by trying which part was wrong.
    """


class SealBroken(PrivacyError):
    """The bytes do not open: another key, another context, changed, cut or reordered.

    One error for every cause, so that nobody learns by trying which part was wrong.
    """


class IdentifierRefused(PrivacyError):
    """An e-mail address, a phone number or an id cannot be normalised; `problem` names why, the value never shows."""

    def __init__(self, message: str, *, problem: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problem = problem


class TokenRefused(PrivacyError):
    """A text is not an identity token: eight hex digits, a point, and 32 hex digits."""


class AttestationRefused(PrivacyError):
    """The attestation does not prove what it must, and whoever sent it was trusted with nothing.

    One error with one text for every cause, so that nobody learns by trying which part was wrong.
    """


class EnclaveUnavailable(PrivacyError):
    """The enclave cannot be started here as asked; no program ran and no data were read."""


class EnclaveFailed(PrivacyError):
    """The enclave ended, was stopped at a limit, or broke its protocol; nothing it said since was used."""
