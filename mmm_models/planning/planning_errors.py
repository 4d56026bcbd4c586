"""Why no plan was made: each with the limit that was met and what would make it work."""

from collections.abc import Sequence

from mmm_models.errors import ModelError
from mmm_models.intake.nearest_name import nearest_name


class PlanningError(ModelError):
    """No plan or answer was made; the run is as it was."""


class ChannelUnknown(PlanningError):
    """A question names a channel the run's model does not know."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = nearest_name(name, known)
        super().__init__(
            f"the run knows no channel {name!r}",
            hint=(f"did you mean {near!r}? " if near else "") + f"its channels are {', '.join(known)}",
        )


class PartUnknown(PlanningError):
    """Limits or changes name a silo or unit the run does not plan for."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = nearest_name(name, known)
        listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        super().__init__(
            f"the run plans for no part {name!r}",
            hint=(f"did you mean {near!r}? " if near else "") + f"its parts are {listed}",
        )


class ChannelWithoutSpend(PlanningError):
    """Money cannot be moved into a channel whose media cost nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"money cannot be planned for {name!r}: the run knows no spend of it there, or no response to it",
            hint="name paid channels that ran; what more of it would do is a question for what-if, by a percentage",
        )


class LimitsInvalid(PlanningError):
    """A limit does not say what it must."""


class LimitsContradict(PlanningError):
    """No split of money keeps all limits; nothing was planned."""


class TargetUnreachable(PlanningError):
    """No split within the limits reaches the target; nothing was planned."""


class RiskUnknown(PlanningError):
    """A quantile was asked of a run that does not know how sure it is."""

    def __init__(self) -> None:
        super().__init__(
            "this run does not say how sure its response is, so no quantile can be planned for",
            hint="leave the risk out, or train with the newton strategy, which sums what intervals need",
        )


class ResponseTooUnsure(PlanningError):
    """The run knows so little of its response that what it expects of media is no number to plan by."""

    def __init__(self) -> None:
        super().__init__(
            "this run is so unsure of its response that media may bring any amount, a hundred times all that was sold "
            "and more; nothing was planned",
            hint="train again, on more weeks or with lift tests, until the run's own intervals are narrower",
        )


class QuestionInvalid(PlanningError):
    """A number in the question is not one that can be asked about."""
