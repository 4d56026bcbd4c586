"""Channels of a single series that sell in their own week: what they do and what happened then look alike."""

from collections.abc import Collection

from mmm_models.averaged_readings import CAREFUL
from mmm_models.diagnostics.finding_words import listed, percent
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.response_prior import judged_by_roi
from mmm_models.results import Finding

MOSTLY_AT_ONCE = 0.5  # of all that a week's media do
IN_FULL = "It is all counted as the media's: demand that nobody measured may be in it."
AVERAGED = (
    "So two readings are averaged. One counts it all as the media's (weight {trusting}); the other gives it little "
    "weight, and leans on later weeks and on what is usual for such channels ({careful}). Which is right the data do "
    "not say; intervals are as wide as the two are apart."
)


def same_week_unidentified(
    evidence: PanelEvidence,
    posterior: PosteriorSummary | None,
    same_week_media_sd: float,
    tested: Collection[str] = (),
) -> tuple[Finding, ...]:
    """The channels of a single unit that by the fitted carry-over mostly work at once: one finding for those whose own
    week was read in two ways (see `averaged_readings.py`), one for those whose own week counts in full.

    Nothing where several units take part, or where nobody says how fast channels work.
    """
    if posterior is None or posterior.at_once is None or evidence.train.any(axis=1).sum() != 1:
        return ()
    groups: dict[bool, dict[str, float]] = {False: {}, True: {}}
    judged = judged_by_roi(evidence.spend_per_revenue.tolist())
    for index, name in enumerate(evidence.panel.channel_names):
        share = float(posterior.at_once[index])
        if evidence.used[index] and name not in tested and share >= MOSTLY_AT_ONCE:
            groups[same_week_media_sd == 0 or not judged[index]][name] = share
    return tuple(_finding(found, in_full=in_full) for in_full, found in groups.items() if found)


def _finding(at_once: dict[str, float], *, in_full: bool) -> Finding:
    names, one = tuple(at_once), len(at_once) == 1
    what = f"{listed(names)} {'sells' if one else 'sell'} mostly in {'its' if one else 'their'} own week"
    least, most = percent(min(at_once.values())), percent(max(at_once.values()))
    share = least if least == most else f"{least} to {most}"
    averaged = AVERAGED.format(trusting=percent(1.0 - CAREFUL), careful=percent(CAREFUL))
    return Finding(
        "same-week",
        "review",
        names,
        f"{what} ({share} of what a week's media do). In a single series that cannot be told from whatever else moved "
        f"media and sales in the same week. {IN_FULL if in_full else averaged}",
        f"An experiment on {listed(names)}, data by region, or a control for what moves both would tell.",
    )
