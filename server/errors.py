"""What stops a run at the coordinator; the run directory keeps everything up to the last whole round."""

from collections.abc import Sequence


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


class ExperimentsChanged(RunStoreError):
    """A silo has experiments now and had none when the run began, or the other way round; it was not resumed."""

    def __init__(self, added: Sequence[str], removed: Sequence[str], *, absent: Sequence[str] = ()) -> None:
        """`absent`: those of `removed` that did not come."""
        left = [silo for silo in removed if silo not in absent]
        changes = [
            *(f"{silo} has experiments now, and the run was begun without" for silo in added),
            *(f"{silo} has no experiments now, and the run was begun with its experiments" for silo in left),
            *(f"{silo} did not come, and the run was begun with its experiments" for silo in absent),
        ]
        ways = [
            *(f"remove `lifts` from the silo file of {silo}" for silo in added),
            *(f"restore `lifts` in the silo file of {silo}" for silo in left),
            *(f"bring {silo} back" for silo in absent),
        ]
        super().__init__(
            f"{'; '.join(changes)}; nothing was asked of any silo, and nothing of the run is lost",
            hint=f"{', '.join(ways)}, and resume; or start a new run",
        )


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
