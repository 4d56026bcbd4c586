"""Markets like the scenario `geo` whose truths differ: intervals that cover one truth may have been lucky."""

import numpy as np

from simulations.scenario import Scenario
from simulations.scenario_tables import ChannelSpec

SHARE_LOG_SD, HALF_LIFE_LOG_SD, HALF_SATURATION_LOG_SD = 0.4, 0.3, 0.3
SLOPES, ELASTICITIES, FOLLOW_STRENGTHS, NOISE = (1.0, 1.5), (1.0, 1.5), (0.7, 0.9), (0.04, 0.08)
STREAM = 1  # of the seed: what a world draws for itself starts from the seed alone


def vary(scenario: Scenario) -> Scenario:
    """The scenario with other true shares, response curves, confounding and noise, drawn from its seed.

    A channel's slope, elasticity or follow strength changes nothing where its saturation or flight has none.
    """
    rng = np.random.default_rng([scenario.seed, STREAM])
    channels = tuple(_varied_channel(channel, rng) for channel in scenario.channels)
    low, high = sorted(rng.uniform(*NOISE, 2).tolist())
    baseline = scenario.baseline.model_copy(update={"noise_low": low, "noise_high": high})
    return scenario.model_copy(update={"channels": channels, "baseline": baseline})


def _varied_channel(channel: ChannelSpec, rng: np.random.Generator) -> ChannelSpec:
    def scaled(value: float, log_sd: float) -> float:
        return value * float(np.exp(log_sd * rng.standard_normal()))

    return channel.model_copy(
        update={
            "sales_share": scaled(channel.sales_share, SHARE_LOG_SD),
            "half_life_weeks": scaled(channel.half_life_weeks, HALF_LIFE_LOG_SD),
            "half_saturation": scaled(channel.half_saturation, HALF_SATURATION_LOG_SD),
            "slope": float(rng.uniform(*SLOPES)),
            "demand_elasticity": float(rng.uniform(*ELASTICITIES)),
            "follow_strength": float(rng.uniform(*FOLLOW_STRENGTHS)),
        }
    )
