"""A silo's side of secure aggregation: pure steps from (state, message) to (state, message).

Store the new state before sending the message that came with it: then a crash can cost a round, never a
secret. Every refusal leaves the state as it was and reveals nothing.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from privacy.errors import (
    InvalidSetting,
    RoundRefused,
    ShareRejected,
    UnmaskRefused,
)
from privacy.masks import masking
from privacy.masks.mask_state import PendingRound, SiloMaskState
from privacy.masks.secret_sharing import SEED_BYTES, SHARE_BYTES, Sharing, split
from privacy.masks.secure_aggregation import (
    MaskedUpdate,
    MaskRequest,
    UnmaskReply,
    UnmaskRequest,
)

RandBytes = Callable[[int], bytes]
NONCE_BYTES = 12
BOX_OVERHEAD_BYTES = NONCE_BYTES + 16  # nonce before, AES-GCM tag behind


@dataclass(frozen=True, eq=False)
class MaskStep:
    """What to store, then what to send."""

    state: SiloMaskState
    message: MaskedUpdate


@dataclass(frozen=True)
class UnmaskStep:
    """What to store, then what to send."""

    state: SiloMaskState
    message: UnmaskReply


def mask_update(
    state: SiloMaskState,
    request: MaskRequest,
    vector: NDArray[np.uint64],
    *,
    randbytes: RandBytes = secrets.token_bytes,
) -> MaskStep:
    """Message 1: `vector` ([value], quantised) under this round's masks, with the shares of their seeds.

    Guarantee: without b_i, or without s_ij of one honest peer, the masked vector is indistinguishable from
    uniform.
    Raises RoundRefused. A round left pending before is given up: it can no longer be unmasked by this silo.
    """
    _require_next_round(state, request)
    if vector.shape != (request.length,) or vector.dtype != np.uint64:
        raise InvalidSetting(
            f"the vector is {vector.dtype}{list(vector.shape)}, the round asks for uint64[{request.length}]",
            hint="quantise the update; check that model and round belong together",
        )
    slot, context = state.slot, request.digest
    seeds = [
        masking.pair_seed(key, context, slot, peer) if key else randbytes(SEED_BYTES)
        for peer, key in enumerate(state.pair_keys)
    ]
    masked = vector.copy()
    masking.apply_masks(masked, add=seeds[slot:], subtract=seeds[:slot])  # own slot is b_i, higher slots add
    blocks = split(seeds, Sharing(len(seeds), state.threshold), randbytes)
    message = MaskedUpdate(
        silo=state.silo,
        context=context,
        masked=masked,
        boxes=_seal(state, context, blocks, randbytes(NONCE_BYTES * len(blocks))),
        commitments=b"".join(masking.seed_commitment(seed, context, slot, k) for k, seed in enumerate(seeds)),
    )
    pending = PendingRound(context, blocks[slot])
    return MaskStep(replace(state, last_round=request.round, pending=pending), message)


def answer_unmask(state: SiloMaskState, request: UnmaskRequest) -> UnmaskStep:
    """Message 2: this silo's shares of what the sum over the alive silos needs, once per round.

    Raises UnmaskRefused or ShareRejected.
    """
    pending = _require_unmaskable(state, request)
    blocks = [_open(state, request, position, pending) for position in range(len(request.alive))]
    slots = {name: slot for slot, name in enumerate(state.silos)}
    reply = UnmaskReply(
        silo=state.silo,
        context=request.context,
        self_shares=_pick(zip(blocks, (slots[name] for name in request.alive), strict=True)),
        pair_shares=_pick((block, slots[name]) for block in blocks for name in request.dropped),
    )
    return UnmaskStep(replace(state, pending=None), reply)


def _require_next_round(state: SiloMaskState, request: MaskRequest) -> None:
    if request.run_id != state.run_id or request.roster_digest != state.roster_digest:
        raise RoundRefused(
            f"round {request.round} is not of the run and roster {state.silo} joined; nothing was sent",
            hint="the coordinator must use one roster for every silo; start the run again",
        )
    if request.round <= state.last_round:
        raise RoundRefused(
            f"round {request.round} came again or late, after round {state.last_round}; nothing was sent",
            hint="continue with a higher round number; a round is never masked twice",
        )


def _seal(state: SiloMaskState, context: bytes, blocks: Sequence[bytes], nonces: bytes) -> tuple[bytes, ...]:
    """[recipient slot] boxes. A key serves one box; nonces are random in case a state was rolled back."""
    slot, boxes = state.slot, []
    for recipient, (pair_key, block) in enumerate(zip(state.pair_keys, blocks, strict=True)):
        if recipient == slot:
            boxes.append(b"")
            continue
        key = masking.share_key(pair_key, context, sender=slot, recipient=recipient)
        nonce = nonces[recipient * NONCE_BYTES : (recipient + 1) * NONCE_BYTES]
        header = masking.share_header(context, sender=slot, recipient=recipient)
        boxes.append(nonce + AESGCM(key).encrypt(nonce, block, header))
    return tuple(boxes)


def _require_unmaskable(state: SiloMaskState, request: UnmaskRequest) -> PendingRound:
    everyone = (*request.alive, *request.dropped)
    if state.pending is None:
        reason = "no masked round is waiting: it was unmasked before, or never masked"
    elif request.context != state.pending.context or request.silo != state.silo:
        reason = "the request belongs to another round or silo"
    elif set(request.alive) & set(request.dropped):
        reason = "a silo is called both alive and dropped"
    elif tuple(sorted(everyone)) != state.silos or list(request.alive) != sorted(request.alive):
        reason = "alive and dropped silos are not, in name order, the roster this silo joined"
    elif state.silo not in request.alive:
        reason = f"{state.silo} answered this round and is not called alive"
    elif len(request.alive) < max(state.threshold, state.min_silos):
        reason = "fewer silos are alive than the threshold, or than a silo asks for in a sum"
    elif len(request.boxes) != len(request.alive):
        reason = "shares of some alive silo are missing"
    else:
        return state.pending
    raise UnmaskRefused(
        f"{reason}; no share left {state.silo}",
        hint="give up this round and go on with the next round number",
    )


def _open(state: SiloMaskState, request: UnmaskRequest, position: int, pending: PendingRound) -> bytes:
    """The block of shares that the alive silo at `position` made for this one. Raises ShareRejected."""
    name, box = request.alive[position], request.boxes[position]
    if name == state.silo:
        return pending.own_shares
    sender, recipient = state.silos.index(name), state.slot
    key = masking.share_key(state.pair_keys[sender], pending.context, sender=sender, recipient=recipient)
    header = masking.share_header(pending.context, sender=sender, recipient=recipient)
    try:
        block = AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], header)
    except (InvalidTag, ValueError) as error:
        raise _share_rejected(name) from error
    if len(block) != SHARE_BYTES * len(state.silos):
        raise _share_rejected(name)
    return block


def _share_rejected(sender: str) -> ShareRejected:
    return ShareRejected(
        f"the shares sealed by {sender} do not open in this round; no share was sent",
        silos=(sender,),
        hint="the coordinator showed silos different rounds, models or rosters, or a message was altered",
    )


def _pick(places: Iterable[tuple[bytes, int]]) -> bytes:
    """The shares at (block, position), in order."""
    return b"".join(block[k * SHARE_BYTES : (k + 1) * SHARE_BYTES] for block, k in places)
