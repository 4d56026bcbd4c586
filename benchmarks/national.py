"""One national series with a demand shock that media followed: hidden, as a control, and followed by nobody.

The scenario `national` with a truth of its own for each seed, fitted with and without what the model does about it. A
share of 0.9 over 80 pairs of world and channel has itself a standard error of 0.03.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.interval_coverage import CONTRIBUTION, Coverage, interval_coverage
from benchmarks.known_worlds import scenario
from benchmarks.line import Line, Setting
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.spec import BaselineSpec, ModelSpec
from simulations.scenario import Scenario
from simulations.scenario_tables import ChannelSpec, Flight
from simulations.world import make_world

SEEDS, TOY_SEEDS = tuple(range(521, 541)), (1,)
SHARE_LOG_SD, COMMON_COST_LOG_SD, COST_LOG_SD = 0.4, 0.6, 0.3
SLOPES, ELASTICITIES, SHOCKS = (1.0, 1.5), (1.5, 4.0), (0.03, 0.08)
STREAM = 7  # of the seed: what a world draws for itself starts from the seed alone
MODELS = {
    "": ModelSpec(),
    ", same week counted in full": ModelSpec(baseline=BaselineSpec(same_week_media_sd=0.0)),
}


def measure(setting: Setting) -> tuple[Line, ...]:
    """Shares and errors over all worlds and channels; `values` are the means of each world's channels."""
    chosen = [variants(scenario(quick=False, seed=seed, name="national")) for seed in seeds(setting)]
    lines: list[Line] = []
    for model, spec in MODELS.items():
        for name in chosen[0]:
            lines += _lines(f"{name}{model}", [_fit(worlds[name], spec) for worlds in chosen])
    return tuple(lines)


def seeds(setting: Setting) -> tuple[int, ...]:
    """Those the numbers are measured on; nothing was ever chosen by them."""
    return TOY_SEEDS if setting.quick else SEEDS


def variants(national: Scenario) -> dict[str, Scenario]:
    """One world three times, its truth drawn from its seed: the same but for who sees the shock, and who follows it."""
    rng = np.random.default_rng([national.seed, STREAM])
    common = float(np.exp(COMMON_COST_LOG_SD * rng.standard_normal()))
    channels = tuple(_varied_channel(channel, common, rng) for channel in national.channels)
    shock = national.controls[0].model_copy(update={"effect": float(rng.uniform(*SHOCKS))})
    hidden = national.model_copy(update={"channels": channels, "controls": (shock,)})
    seen = shock.model_copy(update={"observed": True})
    innocent = tuple(_following_nobody(channel) for channel in channels)
    return {
        "hidden shock": hidden,
        "shock as a control": hidden.model_copy(update={"controls": (seen,)}),
        "shock nobody followed": hidden.model_copy(update={"channels": innocent}),
    }


def _varied_channel(channel: ChannelSpec, common: float, rng: np.random.Generator) -> ChannelSpec:
    """`common` is how expensive all media are: returns lie around no mean that a model could believe in."""

    def factor(log_sd: float) -> float:
        return float(np.exp(log_sd * rng.standard_normal()))

    return channel.model_copy(
        update={
            "sales_share": channel.sales_share * factor(SHARE_LOG_SD),
            "spend_share": channel.spend_share * common * factor(COST_LOG_SD),
            "slope": float(rng.uniform(*SLOPES)),
            "demand_elasticity": float(rng.uniform(*ELASTICITIES)),
        }
    )


def _following_nobody(channel: ChannelSpec) -> ChannelSpec:
    follows = channel.flight is Flight.FOLLOWS_DEMAND
    return channel.model_copy(update={"flight": Flight.ALWAYS_ON}) if follows else channel


def _fit(drawn: Scenario, spec: ModelSpec) -> Coverage:
    world = make_world(drawn)
    fitted = NeuralMmm(spec).fit(world.panels[0], holdout_weeks=drawn.holdout_weeks)
    return interval_coverage(fitted.results, world)


def _lines(what: str, found: Sequence[Coverage]) -> list[Line]:
    errors = tuple(fit.errors.mean_relative for fit in found)
    covered = tuple(float(fit.covered[CONTRIBUTION].mean()) for fit in found)
    return [
        Line(f"{what}: mean relative channel error", float(np.mean(errors)), "", values=errors),
        Line(f"{what}: contribution covered", float(np.mean(covered)), "", values=covered),
    ]
