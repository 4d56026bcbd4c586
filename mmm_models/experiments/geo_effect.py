"""What a method of measuring a geographic experiment hands back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GeoEffect:
    """Mean weekly change of the treated units' outcome, in units of their own mean before; its standard error."""

    relative: float
    standard_error: float
