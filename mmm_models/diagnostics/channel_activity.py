"""Channels that ran too rarely, too evenly or too long ago to say what they do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.diagnostics.finding_words import counted, percent
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.results import Finding

Array = NDArray[np.float64]
LITTLE_VARIATION = 0.15  # standard deviation over mean, within units
ALWAYS_ON = 0.95  # share of a unit's weeks
FEW_WEEKS = 8
FEW_CELLS = 0.02  # of all weeks of all units
LONG_SILENCE_WEEKS = 52
FEW_UNITS = 0.2
FEWEST_UNITS_TO_SHARE = 5


@dataclass(frozen=True)
class _Channel:
    """One channel's media in the weeks that count."""

    name: str
    media: Array  # [unit, week], zero where nothing is observed
    train: NDArray[np.bool_]  # [unit, week]
    ran_later: bool  # in held-out weeks
    weeks: NDArray[np.datetime64]

    @property
    def cells(self) -> NDArray[np.bool_]:
        return np.asarray((self.media > 0) & self.train)

    @property
    def active_weeks(self) -> NDArray[np.bool_]:
        """Weeks in which any unit ran it, training weeks only `[week]`."""
        return np.asarray(self.cells.any(axis=0))


def channel_activity(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """Never on, rarely on, off for a year or more, in few units only, and always on at much the same level."""
    found: list[Finding] = []
    for index, name in enumerate(evidence.panel.channel_names):
        media = evidence.media[..., index]
        ran_later = bool((media * evidence.panel.observed * ~evidence.train).any())
        channel = _Channel(name, media, evidence.train, ran_later, evidence.panel.weeks)
        found += [_silent(channel)] if not evidence.used[index] else _how_it_ran(channel)
    return tuple(found)


def _silent(channel: _Channel) -> Finding:
    if channel.ran_later:
        return Finding(
            "held-out-only",
            "review",
            (channel.name,),
            f"{channel.name} ran in weeks the model does not learn from only: its effect is a belief, not a finding.",
            "Hold out fewer weeks, or wait for more data.",
        )
    return Finding(
        "never-on",
        "note",
        (channel.name,),
        f"{channel.name} never ran in these data: it contributes 0 here, and nothing is learnt of what it could do.",
        f"Leave {channel.name} out, or add units or weeks in which it ran.",
    )


def _how_it_ran(channel: _Channel) -> list[Finding]:
    rare = _rarely(channel)
    return [*rare, *([] if rare else _in_few_units(channel)), *_long_silence(channel), *_too_even(channel)]


def _rarely(channel: _Channel) -> list[Finding]:
    weeks, share = int(channel.active_weeks.sum()), channel.cells.sum() / channel.train.sum()
    if weeks >= FEW_WEEKS and share >= FEW_CELLS:
        return []
    units = int(channel.cells.any(axis=1).sum())
    text = (
        f"{channel.name} ran in {weeks} of {counted(int(channel.train.any(axis=0).sum()), 'training week')} and "
        f"{units} of {counted(len(channel.train), 'unit')}, {percent(share)} of all unit-weeks: too little to tell "
        "its effect from chance."
    )
    advice = f"Read its numbers as what is usual for such a channel; to know more, run {channel.name} longer."
    return [Finding("rarely-on", "review", (channel.name,), text, advice)]


def _in_few_units(channel: _Channel) -> list[Finding]:
    takes_part = channel.train.any(axis=1)
    units, everybody = int(channel.cells.any(axis=1).sum()), int(takes_part.sum())
    if everybody < FEWEST_UNITS_TO_SHARE or units > FEW_UNITS * everybody:
        return []
    text = f"{channel.name} ran in {units} of {everybody} units: what it would do in the others is an extrapolation."
    return [
        Finding(
            "few-units", "note", (channel.name,), text, "Try it in other units before moving budget there."
        )
    ]


def _long_silence(channel: _Channel) -> list[Finding]:
    """The longest stretch of training weeks without it; after that it may no longer do what it did."""
    trained = np.flatnonzero(channel.train.any(axis=0))
    active = np.flatnonzero(channel.active_weeks)
    edges = np.concatenate([[trained[0] - 1], active, [trained[-1] + 1]])
    silences = np.diff(edges) - 1
    longest = int(silences.argmax())
    if silences[longest] < LONG_SILENCE_WEEKS:
        return []
    start = channel.weeks[edges[longest] + 1]
    text = (
        f"{channel.name} did not run anywhere for {silences[longest]} weeks from {start}: its effect is known from "
        f"{counted(len(active), 'other week')}, and assumed to be the same since."
    )
    advice = (
        "Trust its numbers for the time it ran; use fewer weeks, or test it again, before planning with them."
    )
    return [Finding("off-for-long", "note", (channel.name,), text, advice)]


def _too_even(channel: _Channel) -> list[Finding]:
    counts = channel.train.sum(axis=1)
    on = channel.cells.any(axis=1)
    share = channel.cells[on].sum() / counts[on].sum()
    mean = (channel.media * channel.train).sum(axis=1)[on] / counts[on]
    spread = (((channel.media[on] - mean[:, None]) ** 2 * channel.train[on]).sum(axis=1) / counts[on]) ** 0.5
    variation = float(np.median(spread / mean))
    if share < ALWAYS_ON or variation >= LITTLE_VARIATION:
        return []
    text = (
        f"{channel.name} is always on at much the same level (it varies by {percent(variation)} around its mean): "
        "what it sells looks like baseline."
    )
    advice = (
        f"Switch {channel.name} off, or double it, for some weeks in some units: then the data can answer."
    )
    return [Finding("little-variation", "review", (channel.name,), text, advice)]
