"""What can go wrong when a simulation is described or run."""


class SimulationError(Exception):
    """Root of every error raised by `simulations`; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ScenarioInvalid(SimulationError):
    """A scenario file cannot be used; nothing was generated."""


class ScenarioNotFound(SimulationError):
    """No scenario of that name or path exists."""
