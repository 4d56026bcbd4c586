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


class ServiceNotStarted(SimulationError):
    """The clean room's service of a demo could not be started."""


class NotRefused(SimulationError):
    """A question that no room may answer was answered: the demo found a mistake."""


class ForgeryAccepted(SimulationError):
    """A release that was changed passed for a genuine one: the demo found a mistake."""
