"""The front door: the `mixroom` command and the public Python names, which load their libraries when called."""

from mixroom.library import (
    check_silo,
    compare,
    contributions_figure,
    fit,
    load_panel,
    load_results,
    room_client,
    train,
)

__all__ = [
    "check_silo",
    "compare",
    "contributions_figure",
    "fit",
    "load_panel",
    "load_results",
    "room_client",
    "train",
]
