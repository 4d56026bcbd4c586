"""What stops a run at the coordinator; the run directory keeps everything up to the last whole round."""


class ServerError(Exception):
    """Root of every error raised by `server`; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsInvalid(ServerError):
    """The run's settings cannot be used; nothing was started."""


class SilosMissing(ServerError):
    """Fewer silos came than the run expects."""


class SiloRefused(ServerError):
    """A silo does not take part in the run as planned; no data were read."""


class RoundAborted(ServerError):
    """Too few silos answered a round, or one failed and the policy is to stop."""


class RunStoreError(ServerError):
    """A run directory cannot be written, or does not hold what it should."""


class CheckpointDamaged(RunStoreError):
    """A checkpoint's content does not match its own digest; it was not loaded."""


class UpdateOutOfBounds(ServerError):
    """A silo's vector breaks a bound that honest silos keep by themselves; it was not added."""


class SumLost(ServerError):
    """A sum that silos answer only once was asked for before, and its answer did not arrive or was not kept."""

    def __init__(self, purpose: str) -> None:
        super().__init__(
            f"the {purpose} sum was asked for before and lost; "
            "with distributed noise or an enclave no silo answers it again",
            hint="start a new run; what this one was charged stays charged",
        )
