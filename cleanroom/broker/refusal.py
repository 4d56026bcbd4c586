"""Two faces of a refusal: the reasons, for the party's own log, and the one sentence that whoever asked gets."""

from __future__ import annotations

from cleanroom.errors import KeyRefused, Reason


class Against(Exception):
    """Why something is not done. Never leaves the broker."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(*(reason.message for reason in reasons))
        self.reasons = reasons


def against(code: str, message: str) -> Against:
    """With one reason."""
    return Against(Reason(code, message))


def refused() -> KeyRefused:
    """The one refusal that leaves an owner's place, whatever the reason."""
    return KeyRefused(
        "an owner's key broker did not release its key",
        hint="the owner finds the reason in its own log: `mixroom room broker-log`",
    )
