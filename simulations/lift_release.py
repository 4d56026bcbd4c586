"""A clean-room release of a randomised experiment, verified offline, to the lift a model is calibrated with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.errors import HomeUnusable, ReleaseUnverified
from cleanroom.partner.installed_worker import known_measurements
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.release_verification import ReleaseTrust, verify_release
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_entries import ReleasedLift
from simulations.errors import LiftReleaseUnusable
from simulations.lift_arms import lift_arms
from simulations.lift_noise import count_noise


@dataclass(frozen=True)
class RoomTrust:
    """What a release must go back to, and the room's signed documents; None when they were never read."""

    trust: ReleaseTrust
    record: Any = None

    @classmethod
    def of_home(cls, folder: Path, allowed: tuple[str, ...] = ()) -> RoomTrust:
        """As a party's home pinned them. Raises HomeUnusable."""
        home = PartyHome(folder)
        if not home.is_in_room:
            raise HomeUnusable(
                f"{folder} is not the home of a party in a room",
                hint="set `home` to the folder of the party that asked, such as room/acme",
            )
        room = home.room
        trust = ReleaseTrust(room.collaboration, room.enclave_root, known_measurements(allowed))
        return cls(trust, home.record)


def released_lift(entry: ReleasedLift) -> LiftTest:
    """The lift in the entry's release. Raises ReleaseUnverified, HomeUnusable and LiftReleaseUnusable."""
    try:
        document = json.loads(entry.release.read_text(encoding="utf-8"))
    except OSError as error:
        raise LiftReleaseUnusable(
            f"release {entry.release} cannot be read: {error.strerror}",
            hint="name the file that `mixroom room query --out` wrote, relative to the lift file",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ReleaseUnverified(f"{entry.release} is not JSON", hint="ask for the release again") from error
    return lift_of_release(document, entry, RoomTrust.of_home(entry.home, tuple(entry.allow)))


def lift_of_release(document: object, entry: ReleasedLift, room: RoomTrust) -> LiftTest:
    """Lift per person times the people in the panel's units, in outcome units; noise of the release included.

    Nothing is read from a release that is not genuine. Raises ReleaseUnverified and LiftReleaseUnusable.
    """
    body = verify_release(document, room.trust, record=room.record).body
    arms = lift_arms(body["result"], body["protection"]["min_group_size"])
    measured = arms.per_person(entry, count_noise(body, room.record))
    words = entry.source or f"release of query {body['query_id']}"
    return LiftTest(
        channel=entry.channel,
        first_week=entry.start,
        last_week=entry.last_week,
        units=None if entry.units is None else tuple(entry.units),
        lift=entry.people * measured.lift,
        standard_error=entry.people * measured.standard_error,
        change=entry.change,
        source=words,
    )
