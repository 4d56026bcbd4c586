"""Every message that may leave a silo, and the ones it answers. An auditor reads this file first.

Leaves a silo:
  Introduction   its name, public key and the shape of its panel as declared in its own file (no data are read)
  Agreement      a signed fresh key, or nothing: the silo is willing under its own rules
  Challenge      a random nonce for an enclave's attestation, where the run has an enclave
  Contribution   one vector: masked (uniformly random to whoever lacks the peers' seeds), encrypted for a key
                 holder, or in clear where the run does without secure aggregation
  UnmaskReply    shares of this round's seeds
  SealedUpdate   in place of the two above where the run has an enclave: either of them, sealed to its attested key
  Refusal        a code and a sentence without data
Leaves the key holder, where a run has one: its name and public key, a signed modulus and fresh key, opened sums.
Each is one Flower ConfigRecord of plain values; unknown or missing fields are refused.
"""

import hashlib
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from privacy.attested_sums.sum_terms import Challenge, SumQuestion, SumTerms
from privacy.errors import InvalidSetting, MalformedMessage
from privacy.masks.secure_aggregation import (
    KeyAdvert,
    KeyRoster,
    MaskRequest,
    UnmaskReply,
    UnmaskRequest,
    canonical_bytes,
)
from privacy.paillier.aggregation import (
    EncryptedUpdate,
    EncryptionRound,
    HeldRoster,
    HolderAdvert,
    OpenedSum,
    OpenRequest,
)
from privacy.quantization import FixedPoint
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate

RECORD = "mixroom"
HELLO, JOIN, CHALLENGE, ATTEST, START, CONTRIBUTE, UNMASK, OPEN = (
    "query.hello",
    "query.join",
    "query.challenge",
    "query.attest",
    "query.start",
    "train.contribute",
    "train.unmask",
    "train.open",
)
SILO_REFUSED, SILO_FAILED = 1001, 1002

Vector = NDArray[np.float64]
Body = TypeVar("Body")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Introduction:
    """Silo to coordinator: who it is and what its file declares. `schema` is the declared panel shape as JSON."""

    silo: str
    public_key: bytes
    schema: str


@dataclass(frozen=True)
class HolderIntroduction:
    """Key holder to coordinator: it is one, and the key that silos pin for it."""

    public_key: bytes


@dataclass(frozen=True)
class Invitation:
    """Coordinator to silo: the run's terms, the same for every silo. `model` describes the model as JSON."""

    run_id: str
    privacy_mode: str
    epsilon: float
    delta: float
    steps: int
    curvatures: int
    survivors: int
    colluding: int
    values: int
    sample_rate: float
    secure_aggregation: str
    enclave: bool
    model: str

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every field; each sum request names it."""
        budget = (repr(self.epsilon), repr(self.delta), repr(self.sample_rate), self.steps, self.curvatures)
        noise = (self.survivors, self.colluding, self.values)
        sums = (self.secure_aggregation, int(self.enclave))
        parts = (self.run_id, self.privacy_mode, *budget, *noise, *sums, self.model)
        return hashlib.sha256(canonical_bytes("mixroom/invitation/v3", *parts)).digest()

    @cached_property
    def privacy(self) -> PrivacyTerms:
        """Raises InvalidSetting when the terms make no sense."""
        return PrivacyTerms(
            _enum(PrivacyMode, self.privacy_mode),
            self.epsilon,
            self.delta,
            self.steps,
            self.curvatures,
            self.survivors,
            self.colluding,
            self.values,
            self.sample_rate,
        )

    @classmethod
    def of(
        cls,
        run_id: str,
        terms: PrivacyTerms,
        *,
        secure_aggregation: SecureAggregation,
        model: str,
        enclave: bool = False,
    ) -> "Invitation":
        """The terms on the wire."""
        return cls(
            run_id=run_id,
            privacy_mode=terms.mode.value,
            epsilon=terms.epsilon,
            delta=terms.delta,
            steps=terms.steps,
            curvatures=terms.curvatures,
            survivors=terms.survivors,
            colluding=terms.colluding,
            values=terms.values,
            sample_rate=terms.sample_rate,
            secure_aggregation=secure_aggregation.value,
            enclave=enclave,
            model=model,
        )

    @property
    def masking(self) -> SecureAggregation:
        """How sums are protected. Raises InvalidSetting."""
        return _enum(SecureAggregation, self.secure_aggregation)


@dataclass(frozen=True)
class SumRequest:
    """Coordinator to silo: which sum is asked for, with everything it depends on.

    `values` are float64 groups in a fixed order for each purpose. `round` counts all sums of a run from 1.
    """

    run_id: str
    round: int
    purpose: str
    values: tuple[bytes, ...]
    length: int
    fraction_bits: int
    max_abs: float
    invitation: bytes  # digest of the invitation the silo accepted

    @cached_property
    def model_digest(self) -> bytes:
        """SHA-256 over everything the contribution depends on; enters every mask of the round."""
        parts: tuple[str | int | bytes, ...] = (
            self.run_id, self.round, self.purpose, self.length, self.fraction_bits, repr(self.max_abs), self.invitation
        )  # fmt: skip
        return hashlib.sha256(canonical_bytes("mixroom/sum-request/v1", *parts, *self.values)).digest()

    def masked(self, roster_digest: bytes) -> MaskRequest:
        """The round as the masks of that roster are bound to it."""
        return MaskRequest(
            self.run_id, self.round, self.model_digest, roster_digest, self.length, self.fraction_bits
        )

    def encrypted(self, roster_digest: bytes) -> EncryptionRound:
        """The round as the blindings of that roster are bound to it."""
        largest = FixedPoint(self.fraction_bits, self.max_abs).largest_integer
        return EncryptionRound(
            self.run_id, self.round, self.model_digest, roster_digest, self.length, largest
        )

    def sealed(self) -> SumQuestion:
        """The round as updates that are sealed to an enclave are bound to it."""
        largest = FixedPoint(self.fraction_bits, self.max_abs).largest_integer
        return SumQuestion(
            self.run_id, self.round, self.model_digest, self.length, self.fraction_bits, largest
        )

    def vectors(self) -> tuple[Vector, ...]:
        """`values` as float64 vectors."""
        return tuple(np.frombuffer(value, dtype="<f8").astype(np.float64) for value in self.values)


@dataclass(frozen=True)
class ChallengeRequest:
    """Coordinator to silo: give a fresh nonce for the attestation of an enclave of this run."""

    run_id: str


@dataclass(frozen=True)
class AttestedEnclave:
    """Coordinator to silo: an enclave's terms (`SumTerms`) and the attestation document that binds its key to them."""

    run_id: str
    invitation: bytes
    roster_digest: bytes
    needed: int
    silos: tuple[str, ...]
    public_keys: tuple[bytes, ...]
    nonces: tuple[bytes, ...]
    document: bytes

    @classmethod
    def of(cls, terms: SumTerms, document: bytes) -> "AttestedEnclave":
        return cls(**{field.name: getattr(terms, field.name) for field in fields(terms)}, document=document)

    def terms(self) -> SumTerms:
        """Raises RosterRefused when they make no sense."""
        return SumTerms(**{field.name: getattr(self, field.name) for field in fields(SumTerms)})


@dataclass(frozen=True)
class SealedUpdate:
    """Silo to the enclave, through the coordinator: a PlainUpdate, MaskedUpdateMessage or UnmaskReply, sealed."""

    silo: str
    sealed: bytes


def pack_vector(vector: Vector) -> bytes:
    """float64, little endian."""
    return vector.astype("<f8").tobytes()


def to_record(body: Any) -> RecordDict:
    """A flat message (dataclass of str, int, float, bytes and tuples of bytes or str) as one record."""
    content = {field.name: _plain(getattr(body, field.name)) for field in fields(body)}
    return RecordDict({RECORD: ConfigRecord({"kind": type(body).__name__, **content})})


def from_record(content: RecordDict, kind: type[Body]) -> Body:
    """The message of that kind; raises MalformedMessage on any other shape, type or field."""
    record = content.config_records.get(RECORD)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if record is None or record.get("kind") != kind.__name__ or set(record) != {"kind", *names}:
        raise _malformed(kind.__name__)
    try:
        return kind(**{name: _typed(record[name], kind.__annotations__[name]) for name in names})
    except (TypeError, ValueError) as error:
        raise _malformed(kind.__name__) from error


def size_of(content: RecordDict) -> int:
    """Bytes of payload in a message."""
    total = 0
    for record in content.config_records.values():
        for name, value in record.items():
            items = value if isinstance(value, list) else [value]
            total += len(name) + sum(len(item) if isinstance(item, str | bytes) else 8 for item in items)
    return total


@dataclass(frozen=True)
class KeyRosterMessage:
    """`KeyRoster` on the wire: adverts side by side, then the key holder's, empty where there is none."""

    run_id: str
    threshold: int
    silos: tuple[str, ...]
    min_silos: tuple[int, ...]
    exchange_keys: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    holder_min_silos: int = 0
    holder_modulus: bytes = b""
    holder_exchange_key: bytes = b""
    holder_signature: bytes = b""

    @classmethod
    def of(cls, roster: KeyRoster, holder: HolderAdvert | None = None) -> "KeyRosterMessage":
        adverts = roster.adverts
        held = (
            (holder.min_silos, holder.modulus, holder.exchange_key, holder.signature)
            if holder
            else (0, b"", b"", b"")
        )
        return cls(
            roster.run_id,
            roster.threshold,
            roster.silos,
            tuple(advert.min_silos for advert in adverts),
            tuple(advert.exchange_key for advert in adverts),
            tuple(advert.signature for advert in adverts),
            *held,
        )

    def held_roster(self) -> HeldRoster:
        """Silos and key holder. Raises MalformedMessage when there is none."""
        holder = (self.holder_min_silos, self.holder_modulus, self.holder_exchange_key, self.holder_signature)
        return HeldRoster(self.roster(), HolderAdvert(self.run_id, *holder))

    def roster(self) -> KeyRoster:
        columns = zip(self.silos, self.min_silos, self.exchange_keys, self.signatures, strict=True)
        adverts = tuple(KeyAdvert(self.run_id, *column) for column in columns)
        return KeyRoster(self.run_id, self.threshold, adverts)

    @classmethod
    def without_masks(cls, run_id: str) -> "KeyRosterMessage":
        """Starts a run whose sums travel in clear."""
        return cls(run_id, 0, (), (), (), ())


@dataclass(frozen=True)
class Acknowledgement:
    """Silo to coordinator: done, nothing to say."""

    silo: str


MESSAGES_OF_A_SILO = (
    Introduction,
    KeyAdvert,
    Challenge,
    Acknowledgement,
    PlainUpdate,
    MaskedUpdateMessage,
    EncryptedUpdate,
    UnmaskReply,
    SealedUpdate,
)
MESSAGES_TO_A_SILO = (
    Invitation,
    ChallengeRequest,
    AttestedEnclave,
    KeyRosterMessage,
    SumRequest,
    UnmaskRequest,
)
MESSAGES_OF_A_KEY_HOLDER = (HolderIntroduction, HolderAdvert, Acknowledgement, OpenedSum)
MESSAGES_TO_A_KEY_HOLDER = (Invitation, KeyRosterMessage, OpenRequest)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _typed(value: Any, annotation: Any) -> Any:
    """`value` if it has the annotated type exactly; tuples travel as lists."""
    text = annotation if isinstance(annotation, str) else str(annotation)
    if text.startswith("tuple"):
        item = bytes if "bytes" in text else int if "int" in text else str
        if not isinstance(value, list) or not all(type(entry) is item for entry in value):
            raise TypeError(text)
        return tuple(value)
    if type(value) is not annotation:
        raise TypeError(text)
    return value


def _enum(choices: type[Choice], value: str) -> Choice:
    try:
        return choices(value)
    except ValueError as error:
        known = ", ".join(choice.value for choice in choices)
        raise InvalidSetting(f"{value!r} is none of: {known}", hint=f"choose one of: {known}") from error


def _malformed(kind: str) -> MalformedMessage:
    return MalformedMessage(
        f"the message is not a well-formed {kind}; it was not used",
        silos=(),
        hint="run the same version of this software everywhere",
    )
