"""Surfaces say what the model says: of the curves they were read off, of media that repeat, of synergies."""

import itertools

import numpy as np
import pytest
import torch

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.planning.draws import central, posterior_draws
from mmm_models.planning.level_mixture import _curve_at, level_mixture
from mmm_models.planning.outlook import outlook
from mmm_models.planning.surface import circular_carry_over
from tests.mmm_models.planning.small_planners import small_planner


def test_a_mixture_of_levels_reproduces_the_summed_curves() -> None:
    planner = small_planner()
    response = central(planner.model)
    mixture = level_mixture(planner.basis, response)
    (part,) = planner.basis.parts

    multipliers = np.array(MULTIPLIERS)[1:]
    for channel in range(3):
        at = np.outer(multipliers, mixture.levels[0, channel]).ravel()
        found = (
            _curve_at(part, response, channel, at).reshape(len(multipliers), -1) @ mixture.weights[0, channel]
        )
        np.testing.assert_allclose(found, part.curves[channel, 1:], rtol=5e-3)


@pytest.mark.parametrize("synergy", [False, True])
def test_a_period_of_the_whole_history_contributes_what_the_run_says(synergy: bool) -> None:
    planner = small_planner(synergy=synergy)
    look = outlook(planner.basis, planner.model, weeks=planner.basis.n_weeks)
    (part,) = planner.basis.parts

    found = look.likely.outcome(torch.from_numpy(look.period.intensity))[0, 0].numpy()
    # Media that repeat also carry over into the first weeks: three of sixty.
    np.testing.assert_allclose(found, part.contribution.sum(axis=0), rtol=0.04)


def test_media_that_repeat_lose_nothing_to_the_edges() -> None:
    media, kernel = torch.rand(2, 9, 3, dtype=torch.float64), torch.rand(4, 13, 3, dtype=torch.float64)
    carried = circular_carry_over(media, kernel)

    total = media.sum(dim=1)[None] * kernel.sum(dim=1)[:, None]
    torch.testing.assert_close(carried.sum(dim=2), total)


def test_nothing_spent_does_nothing_and_more_never_does_less() -> None:
    look = small_planner().look
    steps = [
        look.expected(torch.full((1, 3), level, dtype=torch.float64)) for level in (0.0, 0.3, 1.0, 3.0, 30.0)
    ]

    assert float((steps[0] / steps[2]).max()) < 1e-6
    assert all(bool((more > less).all()) for less, more in itertools.pairwise(steps))


def test_draws_are_centred_on_the_mode_as_wide_as_the_posterior_and_always_the_same() -> None:
    planner = small_planner(width=0.2)
    drawn, again = posterior_draws(planner.model), posterior_draws(planner.model)
    assert drawn is not None
    assert again is not None

    logs = drawn.effect.log().numpy()
    np.testing.assert_allclose(logs.mean(axis=0), central(planner.model).effect[0].log().numpy(), atol=1e-9)
    np.testing.assert_allclose(logs.std(axis=0), 0.2, rtol=0.2)
    assert torch.equal(drawn.effect, again.effect)
    assert posterior_draws(small_planner(width=0.0).model) is None


def test_beyond_what_was_observed_draws_spread_between_flat_and_straight() -> None:
    look = small_planner(width=0.05).look
    assert look.possible is not None
    now = look.period.intensity
    most = now / look.reach(now)  # at this mean intensity the highest week is as high as ever
    inside, beyond = torch.from_numpy(0.9 * most), torch.from_numpy(4.0 * most)

    torch.testing.assert_close(look.drawn(inside), look.possible.outcome(inside))
    drawn, own = look.drawn(beyond), look.possible.outcome(beyond)
    assert drawn is not None
    log_media = look.possible.log_media(beyond)
    flat = look.possible.by_week(log_media.clamp_max(np.log(look.seen).min())).sum(dim=2)
    assert bool((drawn >= flat - 1e-9).all())
    wider = drawn.std(dim=0) / own.std(dim=0)
    assert float(wider.min()) > 1.2
    assert float(wider.max()) > 2.0


def test_a_few_weeks_slightly_beyond_change_little() -> None:
    look = small_planner(width=0.05).look
    assert look.possible is not None
    intensity = torch.from_numpy(1.1 * look.period.intensity)
    drawn, own = look.drawn(intensity), look.possible.outcome(intensity)
    assert drawn is not None

    assert bool((drawn.std(dim=0) < 1.3 * own.std(dim=0)).all())


def test_a_synergy_that_the_data_do_not_bound_is_bounded_by_what_was_believed() -> None:
    planner = small_planner(synergy=True, width=100.0)
    drawn = posterior_draws(planner.model)
    assert drawn is not None

    believed = planner.model.description.model.prior.synergy_sd
    assert float((drawn.synergy - central(planner.model).synergy).abs().max()) < 5 * believed
