"""What can go wrong when a simulation is described, written or run."""


class SimulationError(Exception):
    """Root of every error raised by `simulations`; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ScenarioInvalid(SimulationError):
    """A scenario file cannot be used; nothing was generated. `problems` holds one sentence each."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems or (message,)


class ScenarioNotFound(SimulationError):
    """No scenario of that name or path exists."""


class WorldNotWritten(SimulationError):
    """A world cannot be written to that directory; what was there is unchanged."""


class TruthUnreadable(SimulationError):
    """A world's truth file is missing or damaged."""


class ComparisonInvalid(SimulationError):
    """What a comparison is asked for cannot be trained; nothing was started."""


class OutputNotEmpty(SimulationError):
    """The output directory already holds results; nothing was changed."""

    def __init__(self, directory: object) -> None:
        super().__init__(
            f"{directory} already holds a comparison; nothing was changed",
            hint="choose another --out, or delete it",
        )


class CannotCalibrate(SimulationError):
    """Only the neural MMM takes experiments; nothing was fitted."""

    def __init__(self, family: str) -> None:
        super().__init__(
            f"the model {family!r} takes no lift file; nothing was fitted",
            hint="fit the neural model, or leave the lift file out",
        )


class ServiceNotStarted(SimulationError):
    """The clean room's service of a demo could not be started."""


class NotRefused(SimulationError):
    """A question that no room may answer was answered: the demo found a mistake."""


class ForgeryAccepted(SimulationError):
    """A release that was changed passed for a genuine one: the demo found a mistake."""


class LiftReleaseUnusable(SimulationError):
    """A clean-room release does not say what a randomised experiment measured, or not how sure that is."""


class LiftReleaseMisshapen(LiftReleaseUnusable):
    """A clean-room release is genuine, and holds no test and control group of one experiment."""


class LiftReleaseWithheld(LiftReleaseUnusable):
    """A clean-room release holds no number for one of the experiment's groups."""


class LiftReleaseNoiseUnknown(LiftReleaseUnusable):
    """A noised release cannot be used without the rules that say how much noise it carries."""
