"""Why an experiment cannot be used, each with what would make it work."""

from __future__ import annotations

from mmm_models.errors import ModelError, SpecInvalid


class LiftInvalid(ModelError):
    """An experiment's own numbers make no sense, whatever the panel."""


class LiftFileInvalid(SpecInvalid):
    """A lift file does not say what it must; `problems` holds one sentence each."""


class LiftMisplaced(ModelError):
    """An experiment is about something that the panel does not have; nothing was fitted to it."""


class LiftChannelUnknown(LiftMisplaced):
    """An experiment names a channel that the panel does not have."""


class LiftUnitUnknown(LiftMisplaced):
    """An experiment names units that the panel does not have."""


class LiftOutsideWeeks(LiftMisplaced):
    """An experiment lies outside the panel's weeks."""


class LiftWithoutMedia(LiftMisplaced):
    """The channel has no media at all in the weeks and units of an experiment, so that nothing can be taken away."""


class LiftUnobserved(LiftMisplaced):
    """Not one week of an experiment has an observed outcome in any of its units."""


class GeoExperimentUnusable(ModelError):
    """A geographic experiment cannot be measured in this panel."""


class GeoDesignMisplaced(GeoExperimentUnusable):
    """A geographic experiment names units or weeks that the panel does not have, or has without an outcome."""


class TooFewUnits(GeoExperimentUnusable):
    """A geographic experiment has too few treated or control units for a standard error."""


class PreTrendsDiffer(GeoExperimentUnusable):
    """Treated and control units grew apart before the experiment began."""


class PreFitPoor(GeoExperimentUnusable):
    """No mix of control units follows the treated units before the experiment began."""


class MediaUnchanged(GeoExperimentUnusable):
    """The experiment hardly changed the channel's media in the treated units."""


class TrialInvalid(ModelError):
    """A table of a randomised trial cannot be used; `problems` holds one sentence each."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems or (message,)


class RandomisationDoubtful(ModelError):
    """Treated people differ from the others in what no treatment can have changed; no lift was written."""
