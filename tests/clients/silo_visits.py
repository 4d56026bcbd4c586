"""One silo on its own: what a test needs to play the coordinator towards it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.answer_sum import Answer, answer_sum
from clients.membership import consider, introduce, start
from clients.session import Session
from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.network import MediaResponse
from mmm_models.private_records import draft_frame
from mmm_models.scaling import Scales
from mmm_models.training import get_vector
from mmm_models.week_calendar import Calendar
from privacy.quantization import FixedPoint
from privacy.wire import Invitation, KeyRosterMessage, SumRequest
from server.aggregation import ModelState
from server.run_plan import RunPlan, plan_run
from server.sum_questions import (
    FRACTION_BITS,
    MAX_ABS,
    curvature_question,
    draft_question,
    noised_report_question,
    report_question,
    round_question,
    scales_question,
)
from tests.small_federation import HOLDOUT_WEEKS, WEEKS, settings_for

RUN = "run-1"
CALENDAR = Calendar(start=date(2024, 1, 1), weeks=WEEKS)


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

    def sharing_noise(self) -> Session:
        """As after a start with masks under distributed noise: three survivors, one of them colluding."""
        invitation = replace(self.invitation, privacy_mode="distributed", survivors=3, colluding=1)
        return Session(invitation, started=True)

    def scales_request(self, **changes: Any) -> SumRequest:
        return replace(scales_question(self.plan), **changes)

    def round_request(self, number: int, scales: Scales, *, shift: float = 0.0, **changes: Any) -> SumRequest:
        """Training round as sum `number`, from the prior's parameters plus `shift`."""
        question = round_question(self.plan, scales, self.state(scales, shift), units=8.0)
        return replace(question, round=number, **changes)

    def curvature_request(self, number: int, scales: Scales, **changes: Any) -> SumRequest:
        return replace(
            curvature_question(self.plan, scales, self.state(scales), units=8.0), round=number, **changes
        )

    def draft_request(self, number: int, scales: Scales, **changes: Any) -> SumRequest:
        return replace(draft_question(self.plan, scales, self.state(scales)), round=number, **changes)

    def report_request(self, number: int, scales: Scales, **changes: Any) -> SumRequest:
        """In private runs measured from the slopes that a draft starts with."""
        state = self.state(scales)
        if not self.plan.privacy.private:
            return replace(report_question(self.plan, scales, state, CALENDAR), round=number, **changes)
        layout, response = self.plan.model.records(private=True), self.response(scales)
        slope = draft_frame(layout, response, weeks=WEEKS, holdout_weeks=HOLDOUT_WEEKS).slope
        question = noised_report_question(self.plan, scales, state, slope)
        return replace(question, round=number, **changes)

    def response(self, scales: Scales) -> MediaResponse:
        return MediaResponse(self.plan.model.model, scales.spend_per_revenue.tolist())

    def state(self, scales: Scales, shift: float = 0.0) -> ModelState:
        return ModelState.start(get_vector(self.response(scales)) + shift, clip_norm=3.0)


def visit(silo_file: Path, **settings: Any) -> Visit:
    """Plan a run over one silo. The silo's data are not read for it."""
    spec = read_silo_spec(silo_file)
    introduction = introduce(spec, SiloHome.of(spec))
    chosen = {"rounds": 3, "secure_aggregation": "none", **settings}
    return Visit(silo_file, plan_run(settings_for(silo_file.parent / "out", **chosen), RUN, (introduction,)))


def visits(silo_files: Sequence[Path], **settings: Any) -> tuple[Visit, ...]:
    """Plan one run over several silos, with masks."""
    specs = [read_silo_spec(path) for path in silo_files]
    introductions = tuple(introduce(spec, SiloHome.of(spec)) for spec in specs)
    chosen = settings_for(silo_files[0].parent / "out", **{"rounds": 3, **settings})
    plan = plan_run(chosen, RUN, introductions)
    return tuple(Visit(path, plan) for path in silo_files)


def in_floats(answer: Answer) -> NDArray[np.float64]:
    """What a silo's exact integers stand for."""
    return FixedPoint(FRACTION_BITS, MAX_ABS).dequantize(answer.integers)


def agreed_scales(visited: Visit) -> Scales:
    """Round numbers that no data were asked for."""
    ones = np.ones(len(visited.plan.model.channels))
    return Scales(visited.plan.model.media_per, ones, 0.05 * ones, 1.0, 100.0, 1.0)


def after_scales(visited: Visit) -> Session:
    return visited.ask(visited.started(), visited.scales_request()).session
