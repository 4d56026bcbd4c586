"""How often people are reached, and how often would be best, for every channel that knows."""

import numpy as np

from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.reach_frequency import FrequencyAdvice, FrequencyCurve, frequency_advice
from mmm_models.results import Finding

CODE, WORTH_SAYING = "optimal-frequency", 0.05  # of effective exposure


def frequency_findings(panel: Panel, response: MediaResponse) -> tuple[Finding, ...]:
    """One note per channel with reach and frequency that ran, from the fitted response of frequency."""
    if not response.spec.reach_frequency:
        return ()
    half, slope = (
        response.parameters_by_name[name].detach().double().numpy()
        for name in ("log_half_frequency", "log_slope_frequency")
    )
    found = []
    for index in np.flatnonzero(panel.has_frequency):
        reach = panel.reach[..., index].sum()
        if reach > 0:
            usual = float(panel.media[..., index][panel.reach[..., index] > 0].sum() / reach)
            curve = FrequencyCurve.of(float(half[index]), float(slope[index]))
            found.append(_note(frequency_advice(panel.channel_names[index], curve, usual)))
    return tuple(found)


def _note(advice: FrequencyAdvice) -> Finding:
    now = f"{advice.channel}: whoever it reached in a week had {advice.frequency:.1f} contacts"
    if advice.gain < WORTH_SAYING:
        return Finding(
            CODE,
            "note",
            (advice.channel,),
            f"{now}, about as many as are best.",
            "Keep the frequency as it is.",
        )
    fewer = advice.best_frequency < advice.frequency
    return Finding(
        CODE,
        "note",
        (advice.channel,),
        f"{now}; at {advice.best_frequency:.1f} the same impressions would achieve {advice.gain:.0%} more.",
        "Reach more people with fewer contacts each." if fewer else "Reach fewer people, more often.",
    )
