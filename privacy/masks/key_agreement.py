"""Key agreement, once a run: every silo offers a signed key and joins only rosters that keep its rules.

`offer_key` and `join_roster` run in a silo, `build_roster` at the coordinator, which nobody needs to trust.
"""

import secrets
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from privacy.errors import InvalidSetting, RosterRefused, UntrustedPeer
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.mask_state import KeyOffer, SiloMaskState
from privacy.masks.masking import pair_key
from privacy.masks.secure_aggregation import (
    LARGEST_ROSTER,
    MINIMUM_ROSTER,
    KeyAdvert,
    KeyRoster,
    advert_bytes,
    smallest_threshold,
)


def offer_key(
    identity: SiloIdentity,
    run_id: str,
    *,
    min_silos: int = MINIMUM_ROSTER,
    randbytes: Callable[[int], bytes] = secrets.token_bytes,
) -> KeyOffer:
    """A fresh, signed X25519 key for one run. `min_silos`: the smallest sum this silo is part of."""
    if not MINIMUM_ROSTER <= min_silos <= LARGEST_ROSTER:
        raise InvalidSetting(
            f"min_silos is {min_silos}; sums of fewer than {MINIMUM_ROSTER} silos reveal single updates",
            hint=f"set min_silos to {MINIMUM_ROSTER} or more",
        )
    key = X25519PrivateKey.from_private_bytes(randbytes(32))
    public = key.public_key().public_bytes_raw()
    signature = identity.sign(advert_bytes(run_id, identity.silo, min_silos, public))
    return KeyOffer(KeyAdvert(run_id, identity.silo, min_silos, public, signature), key.private_bytes_raw())


def join_roster(offer: KeyOffer, roster: KeyRoster, peers: PinnedPeers) -> SiloMaskState:
    """Check everyone against this silo's own rules and pins, then agree on a key with each.

    Raises RosterRefused (who and how many) or UntrustedPeer (whose key).
    """
    require_own_rules(offer.advert, roster)
    require_signed_by_others(roster, peers, own=offer.advert)
    own = X25519PrivateKey.from_private_bytes(offer.private_key)
    return SiloMaskState(
        run_id=roster.run_id,
        silo=offer.advert.silo,
        silos=roster.silos,
        threshold=roster.threshold,
        min_silos=max(advert.min_silos for advert in roster.adverts),
        roster_digest=roster.digest,
        pair_keys=tuple(b"" if advert == offer.advert else _agree(own, advert) for advert in roster.adverts),
    )


def build_roster(adverts: Sequence[KeyAdvert], *, threshold: int | None = None) -> KeyRoster:
    """What to send to every silo, by default with the smallest allowed threshold. Raises RosterRefused."""
    n_silos = len(adverts)
    if len({advert.run_id for advert in adverts}) != 1:
        raise RosterRefused(
            "the key adverts are none, or of several runs", hint="ask every silo for this run's key"
        )
    wanting = [advert.silo for advert in adverts if advert.min_silos > n_silos]
    if wanting:
        raise RosterRefused(
            f"{n_silos} silos are too few for {', '.join(wanting)}",
            hint="wait for more silos before starting the run",
        )
    in_order = tuple(sorted(adverts, key=lambda advert: advert.silo))
    return KeyRoster(
        in_order[0].run_id, smallest_threshold(n_silos) if threshold is None else threshold, in_order
    )


def require_own_rules(own: KeyAdvert, roster: KeyRoster) -> None:
    """Raise RosterRefused unless this silo is in the roster with its own key, and the roster is sound."""
    if own not in roster.adverts:
        raise RosterRefused(
            f"the roster lacks the key that {own.silo} offered",
            hint="start the key agreement again, with every silo",
        )
    require_sound_roster(roster, own.run_id)


def require_signed_by_others(roster: KeyRoster, peers: PinnedPeers, *, own: KeyAdvert | None = None) -> None:
    """Raise UntrustedPeer unless every advert but `own` is signed by the key pinned for its silo."""
    for advert in roster.adverts:
        if advert != own:
            peers.require_signed(advert.silo, advert.signed_bytes, advert.signature)


def require_sound_roster(roster: KeyRoster, run_id: str) -> None:
    """Raise RosterRefused unless it is of this run, large enough for every silo, and opens one sum only."""
    n_silos = len(roster.adverts)
    if {roster.run_id, *(advert.run_id for advert in roster.adverts)} != {run_id}:
        raise RosterRefused("the roster mixes runs", hint="start the key agreement of this run again")
    most = max(roster.adverts, key=lambda advert: advert.min_silos)
    if n_silos < most.min_silos:
        raise RosterRefused(
            f"the roster has {n_silos} silos, {most.silo} asks for at least {most.min_silos}",
            hint="bring more silos into the run; lower min_silos only if smaller sums are acceptable",
        )
    if 3 * roster.threshold <= 2 * n_silos:
        raise RosterRefused(
            f"threshold {roster.threshold} of {n_silos} is not above two thirds; replies could open two sums",
            hint=f"use a threshold of {smallest_threshold(n_silos)} or more",
        )
    if len({advert.exchange_key for advert in roster.adverts}) != n_silos:
        raise RosterRefused("one exchange key stands under two names", hint="start the key agreement again")


def _agree(own: X25519PrivateKey, peer: KeyAdvert) -> bytes:
    try:
        return pair_key(own, peer.exchange_key)
    except ValueError as error:
        raise UntrustedPeer(
            f"the exchange key of {peer.silo} is not usable; the roster was refused",
            hint=f"ask {peer.silo}'s owner; a sound client never makes such a key",
        ) from error
