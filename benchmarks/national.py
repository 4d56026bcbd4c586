"""One national series with a demand shock that media followed: hidden, as a control, and followed by nobody.

The scenario `national`, its truth drawn anew from each seed, fitted with and without what the model does about it. Then
with spend in no money that revenue is in, so that nothing is believed about returns, and a lift test of every channel
that followed the shock where it was followed. A share of 0.9 over 80 pairs of world and channel has itself a standard
error of 0.03.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.interval_coverage import CONTRIBUTION, Coverage, interval_coverage
from benchmarks.known_worlds import scenario
from benchmarks.line import Line, Setting
from benchmarks.simulated_lifts import simulate_lift_test
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.spec import BaselineSpec, ModelSpec
from simulations.scenario import Scenario
from simulations.scenario_tables import ChannelSpec, Flight
from simulations.world import make_world

SEEDS, TOY_SEEDS = tuple(range(521, 541)), (1,)
SHARE_LOG_SD, COMMON_COST_LOG_SD, COST_LOG_SD = 0.4, 0.6, 0.3
SLOPES, ELASTICITIES, SHOCKS = (1.0, 1.5), (1.5, 4.0), (0.03, 0.08)
NO_MONEY = 1e-4  # what spend is multiplied by, so that no return can be believed in
ERROR_SHARE = 0.25  # standard error of a lift test / its true lift
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
    for name in chosen[0]:
        lines += _tested_lines(
            f"{name}, no money, followers tested", [_fit_tested(worlds, name) for worlds in chosen]
        )
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


def _fit_tested(worlds: dict[str, Scenario], name: str) -> tuple[Coverage, NDArray[np.bool_]]:
    """One variant with spend in no money, calibrated by a lift test of every channel that follows the hidden shock;
    and which channels `[channel]` those are."""
    drawn, hidden = worlds[name], worlds["hidden shock"]
    scaled = [each.model_copy(update={"spend_share": each.spend_share * NO_MONEY}) for each in drawn.channels]
    world = make_world(drawn.model_copy(update={"channels": tuple(scaled)}))
    follows = [each.flight is Flight.FOLLOWS_DEMAND for each in hidden.channels]
    lifts = tuple(
        simulate_lift_test(world, each.name, error_share=ERROR_SHARE)
        for each, tested in zip(hidden.channels, follows, strict=True)
        if tested
    )
    fitted = NeuralMmm(lifts=lifts).fit(world.panels[0], holdout_weeks=drawn.holdout_weeks)
    return interval_coverage(fitted.results, world), np.array(follows)


def _tested_lines(what: str, found: Sequence[tuple[Coverage, NDArray[np.bool_]]]) -> list[Line]:
    errors = tuple(float(np.abs(fit.errors.relative[tested]).mean()) for fit, tested in found)
    covered = tuple(float(fit.covered[CONTRIBUTION][tested].mean()) for fit, tested in found)
    return [
        Line(f"{what}: mean relative error of these", float(np.mean(errors)), "", values=errors),
        Line(f"{what}: their contribution covered", float(np.mean(covered)), "", values=covered),
    ]


def _lines(what: str, found: Sequence[Coverage]) -> list[Line]:
    errors = tuple(fit.errors.mean_relative for fit in found)
    covered = tuple(float(fit.covered[CONTRIBUTION].mean()) for fit in found)
    return [
        Line(f"{what}: mean relative channel error", float(np.mean(errors)), "", values=errors),
        Line(f"{what}: contribution covered", float(np.mean(covered)), "", values=covered),
    ]
