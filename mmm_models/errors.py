"""Every error this package raises: one root, named children, each with the next action in `hint`."""

from mmm_models.intake.panel_report import CheckReport


class ModelError(Exception):
    """Something about a model or a panel is not as it must be."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SpecInvalid(ModelError):
    """A silo file does not say what it must; `problems` holds one sentence each."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems or (message,)


class SourceUnreadable(ModelError):
    """The data a silo file points to cannot be read; `code` names the reason."""

    def __init__(self, message: str, *, hint: str = "", code: str = "unreadable") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class PanelInvalid(ModelError):
    """A silo's data have problems. The message names codes and columns only, so that it may leave the silo;
    `report` holds rows and values and may not."""

    def __init__(self, message: str, *, hint: str = "", report: CheckReport) -> None:
        super().__init__(message, hint=hint)
        self.report = report


class TrainingDiverged(ModelError):
    """The loss stopped being a finite number."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"the loss is not finite after step {step}; no result was written",
            hint="lower the learning rate, and run `mixroom silo check` on the data",
        )


class NothingToLearnFrom(ModelError):
    """No unit has an outcome above zero in the weeks that are not held out."""

    def __init__(self, silo: str) -> None:
        super().__init__(
            f"panel {silo!r} has no outcome above zero in its training weeks; no model was fitted",
            hint="check the outcome column, or hold out fewer weeks",
        )


class HistoryTooShort(ModelError):
    """Every unit has so few training weeks that not even one effect a channel could be learnt."""

    def __init__(self, silo: str, *, have: int, needed: int) -> None:
        missing = needed - have
        super().__init__(
            f"panel {silo!r} has at most {have} training weeks a unit, and {needed} are needed; no model was fitted",
            hint=f"give {missing} more training week{'s' * (missing > 1)}, hold out fewer, or fit fewer channels",
        )


class StoredModelDamaged(ModelError):
    """A stored model is missing, changed or of another version; it was not loaded."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is missing, damaged or of another version; it was not loaded",
            hint="name the directory of a finished run, or train again",
        )


class ScalesUnknown(ModelError):
    """So few units, or so much noise, that not even a typical unit's outcome can be told."""

    def __init__(self, noise_floor: float) -> None:
        super().__init__(
            f"the noise hides every count below about {noise_floor:.0f} units, and no group of units is larger",
            hint=f"with these settings a run needs some {3 * noise_floor:.0f} units in all silos together: "
            "add units, or agree on a larger epsilon; what was charged stays charged",
        )


class TotalsLost(ModelError):
    """The summed outcome is not positive, so that no share or return can be computed."""

    def __init__(self, *, private: bool) -> None:
        super().__init__(
            "the total outcome is not above zero"
            + (": noise exceeds it" if private else "")
            + "; no results",
            hint="use more units, or agree on a larger epsilon" if private else "check the outcome column",
        )
