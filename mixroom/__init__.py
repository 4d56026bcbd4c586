"""The front door: the `mixroom` command and the public Python names, which load their libraries when called."""

from mixroom.library import (
    check_silo,
    compare,
    contributions_figure,
    explain,
    fit,
    load_panel,
    load_results,
    plan,
    room_client,
    train,
    what_if,
)

__all__ = [
    "check_silo",
    "compare",
    "contributions_figure",
    "explain",
    "fit",
    "load_panel",
    "load_results",
    "plan",
    "room_client",
    "train",
    "what_if",
]
