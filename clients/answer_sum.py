"""From a sum request to the silo's vector: data, noise and computation brought together."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clients.contributions import Task, contribute
from clients.errors import OutOfOrder
from clients.own_experiments import save_experiments
from clients.planned_sums import require_planned
from clients.private_fit import save_unit_fits
from clients.request_shape import require_shape
from clients.session import Session
from clients.silo_data import read_silo_data
from clients.silo_home import SiloHome
from mmm_models.federated_spec import FederatedModel
from privacy.secure_noise import NoiseSource, SecureNoise
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest


@dataclass(frozen=True, eq=False)
class Answer:
    """The integers for the gate, with the session as it goes on."""

    session: Session
    integers: NDArray[np.uint64]


def answer_sum(spec_path: Path, home: SiloHome, session: Session, request: SumRequest) -> Answer:
    """Compute this silo's part.

    Private runs: only the sums that were charged (OutOfOrder), each in one wording about one panel only
    (ReplayRefused): other words or other data under the same noise would subtract the noise. Others: one report a run.
    A request that is not of its kind's shape is refused before any of that (RequestMalformed). Values that do not fit
    the range asked for are refused once a run (ValueOutOfRange), and every sum of it after that (OutOfOrder).
    """
    invitation = session.invitation
    model = FederatedModel.model_validate_json(invitation.model)
    privacy = invitation.privacy
    noise: NoiseSource = SecureNoise()
    if privacy.private:
        require_planned(request, model, privacy)
    require_shape(request, model, private=privacy.private)
    if not privacy.private and request.purpose == Purpose.REPORT:
        home.report_once(request.run_id, _wording(request))
    data = read_silo_data(spec_path, model)
    if privacy.private:
        answered = hashlib.sha256(request.model_digest + data.digest).digest()
        noise = home.noise_for(request.run_id, request.round, answered, once=privacy.answered_once)
    with home.within_range(request.run_id):
        contribution = contribute(data, Task(request, model, privacy, noise, session.units))
    if contribution.integers.shape != (request.length,):
        raise OutOfOrder(
            "the sum asked for does not have the agreed length", hint="run the same version everywhere"
        )
    if invitation.enclave and contribution.units != session.units:
        home.keep_units(request.run_id, contribution.units)
    if contribution.unit_fits:
        save_unit_fits(contribution.unit_fits, home.run_directory(request.run_id))
    if contribution.experiments:
        save_experiments(contribution.experiments, home.run_directory(request.run_id))
    return Answer(replace(session, units=contribution.units), contribution.integers)


def _wording(request: SumRequest) -> bytes:
    """What a question asks, whatever its number. With its range: asked in a narrower one again and again, where a silo
    begins to refuse would say its largest value."""
    fixed_point = f"{request.fraction_bits}|{request.max_abs!r}".encode()
    parts = (fixed_point, *request.values)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
