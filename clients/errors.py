"""Why a silo does not answer: every error here may be told to the coordinator, so none holds data."""


class SiloError(Exception):
    """Root of every error raised by `clients`; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SiloNotConfigured(SiloError):
    """The client does not know which silo file it serves."""


class TermsRefused(SiloError):
    """The run breaks this silo's own rules; nothing was charged and no data were read."""


class OutOfOrder(SiloError):
    """The coordinator skipped a step of the protocol, or changed what was agreed."""


class RequestMalformed(OutOfOrder):
    """A sum is asked for with numbers too many, too few or of another shape than its kind has; nothing was computed."""


class WeeksMissing(SiloError):
    """The report is to be about weeks of which this silo lacks some; their sums would be the other silos' alone."""


class ReplayRefused(SiloError):
    """A private sum was asked for twice in different words; answering would average the noise away."""


class ExperimentsUnusable(SiloError):
    """The silo's lift file does not fit its panel; the message holds none of its numbers."""
