"""Three silos, an enclave's keys and an emulated platform: what a test needs to attest and to seal."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from privacy.attested_sums.sealed_update import EnclaveAddress, UpdateOpener
from privacy.attested_sums.silo_attestation import EnclaveRules, Expected
from privacy.attested_sums.sum_terms import Challenge, SumQuestion, SumTerms
from privacy.enclave.attestation_verifier import AttestationPolicy
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import DIGEST_BYTES, Measurement
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.party_keys import PartyKeys

SILOS = ("east", "north", "south")
INVITATION = b"i" * 32
MEASUREMENT = Measurement({0: b"\x01" * DIGEST_BYTES})
QUESTION = SumQuestion("run", 1, b"q" * 32, 3, 10, 8 * 2**10)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Parties:
    """Everybody's keys. `folder`: of the emulated platform."""

    folder: Path
    identities: dict[str, SiloIdentity] = field(
        default_factory=lambda: {silo: SiloIdentity.generate(silo) for silo in SILOS}
    )
    keys: PartyKeys = field(default_factory=lambda: PartyKeys.generate("enclave"))

    @property
    def terms(self) -> SumTerms:
        keys = tuple(self.identities[silo].public_key for silo in SILOS)
        nonces = tuple(bytes([place]) * 32 for place in range(len(SILOS)))
        return SumTerms("run", INVITATION, b"", 3, SILOS, keys, nonces)

    @property
    def peers(self) -> PinnedPeers:
        return PinnedPeers({silo: identity.public_key for silo, identity in self.identities.items()})

    @property
    def platform(self) -> EmulatedPlatform:
        return EmulatedPlatform.open(self.folder, clock=lambda: NOW)

    @property
    def address(self) -> EnclaveAddress:
        return EnclaveAddress(self.terms.digest, self.keys.public.sealing)

    @property
    def opener(self) -> UpdateOpener:
        return UpdateOpener(self.address, self.terms, self.keys.open_message)

    def document(self, terms: SumTerms, **changes: Any) -> bytes:
        """The platform's word on an enclave that serves these terms."""
        public = self.keys.public
        said = {
            "public_key": public.sealing + public.signing,
            "user_data": terms.digest,
            "nonce": terms.nonce,
        }
        measurement = changes.pop("measurement", MEASUREMENT)
        return self.platform.attest(measurement, module_id="test", **said | changes)

    def expected(self, silo: str = "north", **changes: Any) -> Expected:
        """What that silo knows by itself."""
        challenge = Challenge(silo, "run", self.terms.nonces[SILOS.index(silo)], 3)
        return replace(Expected(challenge, self.identities[silo].public_key, INVITATION), **changes)

    def rules(self, **changes: Any) -> EnclaveRules:
        """What every silo accepts."""
        policy = AttestationPolicy((self.platform.root,), frozenset({MEASUREMENT.code}))
        return EnclaveRules(replace(policy, **changes), self.peers)
