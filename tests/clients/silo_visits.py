"""One silo on its own: what a test needs to play the coordinator towards it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clients.answer_sum import Answer, answer_sum
from clients.membership import consider, introduce, start
from clients.session import Session
from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.network import MediaResponse
from mmm_models.scaling import Scales
from mmm_models.training import get_vector
from privacy.wire import Invitation, KeyRosterMessage, SumRequest, pack_vector
from server.rounds import FRACTION_BITS, MAX_ABS
from server.run_plan import RunPlan, plan_run
from tests.small_federation import settings_for

RUN = "run-1"


@dataclass(frozen=True)
class Visit:
    """A silo and the plan of a run over it alone, without masks: its vectors can be read."""

    silo_file: Path
    plan: RunPlan

    @property
    def spec(self) -> SiloSpec:
        return read_silo_spec(self.silo_file)

    @property
    def home(self) -> SiloHome:
        return SiloHome.of(self.spec)

    @property
    def invitation(self) -> Invitation:
        return self.plan.invitation

    def joined(self, invitation: Invitation | None = None) -> Session:
        session, _ = consider(self.spec, self.home, invitation or self.invitation)
        return session

    def started(self, invitation: Invitation | None = None) -> Session:
        wanted = invitation or self.invitation
        return start(self.home, self.joined(wanted), KeyRosterMessage.without_masks(wanted.run_id))

    def ask(self, session: Session, request: SumRequest) -> Answer:
        return answer_sum(self.silo_file, self.home, session, request)

    def scales_request(self, **changes: Any) -> SumRequest:
        length = self.plan.model.scales_length
        return replace(self._request(1, "scales", (), length), **changes)

    def round_request(self, number: int, scales: Scales, *, shift: float = 0.0, **changes: Any) -> SumRequest:
        """Training round as sum `number`, from the prior's parameters plus `shift`."""
        parameters = self.start_parameters(scales) + shift
        extra = 1 if self.plan.privacy.private else 5
        values = (parameters, scales.to_vector(), np.array([8.0, 3.0]))
        return replace(self._request(number, "round", values, len(parameters) + 1 + extra), **changes)

    def report_request(self, number: int, scales: Scales, **changes: Any) -> SumRequest:
        values = (self.start_parameters(scales), scales.to_vector())
        length = self.plan.model.records(private=self.plan.privacy.private).length
        return replace(self._request(number, "report", values, length), **changes)

    def start_parameters(self, scales: Scales) -> np.ndarray[Any, np.dtype[np.float64]]:
        return get_vector(MediaResponse(self.plan.model.model, scales.spend_per_revenue.tolist()))

    def _request(
        self, number: int, purpose: str, values: tuple[np.ndarray[Any, Any], ...], length: int
    ) -> SumRequest:
        packed = tuple(pack_vector(value) for value in values)
        return SumRequest(
            RUN, number, purpose, packed, length, FRACTION_BITS, MAX_ABS, self.invitation.digest
        )


def visit(silo_file: Path, **settings: Any) -> Visit:
    """Plan a run over one silo. The silo's data are not read for it."""
    spec = read_silo_spec(silo_file)
    introduction = introduce(spec, SiloHome.of(spec))
    chosen = {"rounds": 3, "secure_aggregation": "none", **settings}
    return Visit(silo_file, plan_run(settings_for(silo_file.parent / "out", **chosen), RUN, (introduction,)))
