"""Media that are the same everywhere: many units, but one time series."""

import numpy as np

from mmm_models.diagnostics.finding_words import counted, listed
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.results import Finding

SAME_EVERYWHERE = 0.01  # share of a channel's variation that is between units in one week


def national_media(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """One finding naming all channels that move alike in all units, and one for a panel of a single unit."""
    takes_part = evidence.train.any(axis=1)
    if takes_part.sum() == 1:
        return (_one_series(),)
    channels = tuple(
        name
        for index, name in enumerate(evidence.panel.channel_names)
        if evidence.used[index] and local_share(evidence, index) < SAME_EVERYWHERE
    )
    return (_alike(channels, int(takes_part.sum())),) if channels else ()


def local_share(evidence: PanelEvidence, channel: int) -> float:
    """Share of a channel's variation over time that differs between units; one for a channel in one unit.

    Each unit's media are compared relative to its own mean, so a larger unit that gets more is no difference.
    """
    media = evidence.media[..., channel]
    mean = (media * evidence.train).sum(axis=1) / np.maximum(evidence.train.sum(axis=1), 1)
    runs = mean > 0
    if runs.sum() < 2:
        return 1.0
    train = evidence.train[runs].astype(np.float64)
    relative = media[runs] / mean[runs][:, None]
    week = (relative * train).sum(axis=0) / np.maximum(train.sum(axis=0), 1.0)
    total = (((relative - 1.0) ** 2) * train).sum()
    return float((((relative - week) ** 2) * train).sum() / total) if total > 0 else 1.0


def _one_series() -> Finding:
    return Finding(
        "one-unit",
        "note",
        (),
        "There is one unit: everything is learnt from how one series moves over time, with no other to compare.",
        "If the data can be had by region or store, fit those; else rely on long history, controls and experiments.",
    )


def _alike(channels: tuple[str, ...], units: int) -> Finding:
    return Finding(
        "national-media",
        "note",
        channels,
        f"{listed(channels)} moved alike in all {counted(units, 'unit')}: for "
        f"{'this channel' if len(channels) == 1 else 'these channels'} the units are one time series, and whatever "
        "else happened everywhere in the same weeks is counted with it.",
        "Vary media between units, or treat the result as that of a national model and test it by experiment.",
    )
