"""Spend that cannot be in the same money as revenue, and channels without spend."""

import numpy as np

from mmm_models.diagnostics.finding_words import listed, percent
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.panel import ChannelKind
from mmm_models.response_prior import LARGEST_CREDIBLE_SPEND, LEAST_CREDIBLE_SPEND, judged_by_roi
from mmm_models.results import Finding


def spend_share(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """What spend says, or cannot say, beforehand about effects."""
    spend = evidence.spend_per_revenue
    if (spend > 0).any() and not any(judged_by_roi(spend.tolist())):
        return (*_not_comparable(evidence), *_without_spend(evidence))
    return _without_spend(evidence)


def _not_comparable(evidence: PanelEvidence) -> tuple[Finding, ...]:
    share = float(evidence.spend_per_revenue.sum())
    names = evidence.panel.channel_names
    channels = tuple(names[i] for i in np.flatnonzero(evidence.spend_per_revenue > 0))
    text = (
        f"In a week in which all channels run, spend is {percent(share)} of revenue, outside "
        f"{percent(LEAST_CREDIBLE_SPEND)} to {percent(LARGEST_CREDIBLE_SPEND)}: the two are probably not in the same "
        "money. ROI is computed as the file says, but nothing about it was believed beforehand."
    )
    advice = "Check currency and units of spend, and set revenue_per_outcome if the outcome is not money."
    return (Finding("spend-not-comparable", "review", channels, text, advice),)


def _without_spend(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """Paid channels that ran and have no spend; organic ones need none."""
    panel = evidence.panel
    paid = np.array([channel.kind is ChannelKind.PAID for channel in panel.channels], dtype=np.bool_)
    missing = np.flatnonzero(paid & evidence.used & ~(panel.spend > 0).any(axis=(0, 1)))
    if not len(missing):
        return ()
    channels = tuple(panel.channel_names[i] for i in missing)
    text = f"{listed(channels)} ran without any spend in the data: contributions are shown, ROI cannot be."
    return (Finding("no-spend", "note", channels, text, "Add spend columns to see ROI and to plan budgets."),)
