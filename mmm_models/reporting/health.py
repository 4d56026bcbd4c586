"""What a look at a model may find: pass, review or fail, with advice."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How much a finding matters."""

    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"


@dataclass(frozen=True)
class HealthCheck:
    """One thing looked at; `advice` is empty when nothing needs doing."""

    name: str
    health: Health
    finding: str
    advice: str = ""
