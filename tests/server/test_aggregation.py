"""From the silos' mean change to the next model: known optimisers are the yardstick."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mmm_models.federated_spec import RoundSum
from server.aggregation import ADAM_EPSILON, ModelState, learning_rate, next_state
from server.settings import RunSettings, Strategy

TARGET = np.array([1.0, -2.0, 0.5])
CURVATURE = np.array([1.0, 3.0, 0.2])


def settings_of(strategy: Strategy, rounds: int = 30, **changes: Any) -> RunSettings:
    return RunSettings(strategy=strategy, rounds=rounds, **changes)


def gradient(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a quadratic bowl around TARGET."""
    return CURVATURE * (parameters - TARGET)


def test_fedadam_is_torchs_adam_when_silos_send_minus_the_gradient() -> None:
    settings = settings_of(Strategy.FEDADAM)
    weights = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = torch.optim.Adam([weights], lr=1.0, eps=ADAM_EPSILON)
    state = ModelState.start(np.zeros(3), 1.0)

    for index in range(30):
        optimizer.param_groups[0]["lr"] = learning_rate(settings, index)
        weights.grad = torch.from_numpy(gradient(weights.detach().numpy()))
        optimizer.step()
        state = next_state(state, -gradient(state.parameters), settings, clip_norm=1.0)

    assert state.parameters == pytest.approx(weights.detach().numpy(), rel=1e-9)


def test_fedadam_does_not_depend_on_the_size_of_local_steps() -> None:
    settings = settings_of(Strategy.FEDADAM)
    states = [ModelState.start(np.zeros(3), 1.0) for _ in range(2)]
    for _ in range(5):
        states = [
            next_state(state, -scale * gradient(state.parameters), settings, clip_norm=1.0)
            for state, scale in zip(states, (1.0, 1e-4), strict=True)
        ]

    assert states[0].parameters == pytest.approx(states[1].parameters, rel=1e-4)


@pytest.mark.parametrize("strategy", [Strategy.FEDAVG, Strategy.FEDPROX])
def test_fedavg_adds_the_mean_change(strategy: Strategy) -> None:
    state = ModelState.start(np.array([1.0, 2.0]), 1.0)

    moved = next_state(state, np.array([0.5, -0.25]), settings_of(strategy), clip_norm=1.0)

    assert moved.parameters.tolist() == [1.5, 1.75]


def test_newtons_step_is_added_at_its_own_rate_in_every_round() -> None:
    settings = settings_of(Strategy.NEWTON, server_learning_rate=0.5)
    state = ModelState.start(np.array([1.0, 2.0]), 1.0)

    for _ in range(2):
        state = next_state(state, np.array([0.5, -0.25]), settings, clip_norm=1.0)

    assert state.parameters.tolist() == [1.5, 1.75]


def test_every_round_is_a_sum_further() -> None:
    """The scales come first, so a run begins with one sum done."""
    state = ModelState.start(np.zeros(1), 1.0)

    moved = next_state(state, np.ones(1), settings_of(Strategy.FEDAVG), clip_norm=1.0)

    assert (state.sums, moved.sums, moved.round) == (1, 2, 1)


def test_silos_count_by_their_units() -> None:
    """Two units that moved by 1 and six that moved by 5: (2 x 1 + 6 x 5) / 8 = 4."""
    layout = RoundSum(parameters=1, private=True)
    total = layout.join(np.array([1.0]), 2.0, np.array([0.5])) + layout.join(
        np.array([5.0]), 6.0, np.array([-1.0])
    )

    assert layout.change(total).tolist() == [4.0]
    assert layout.extra(total).tolist() == [-0.5]
    assert len(total) == layout.length


def test_the_learning_rate_falls_along_a_cosine() -> None:
    settings = settings_of(Strategy.FEDADAM, rounds=10, server_learning_rate=1.0)

    rates = [learning_rate(settings, index) for index in (0, 5, 10)]

    assert rates == pytest.approx([1.0, 0.55, 0.1])  # halfway between 1 and the floor, a tenth


def test_the_model_is_the_mean_of_the_last_iterates() -> None:
    settings = settings_of(Strategy.FEDAVG, rounds=4, average_last_share=0.5)
    state = ModelState.start(np.zeros(1), 1.0)
    for _ in range(4):
        state = next_state(state, np.ones(1), settings, clip_norm=1.0)  # 1, 2, 3, 4

    assert state.averaged == 2
    assert state.model.tolist() == [3.5]
    assert state.parameters.tolist() == [4.0]


def test_rounds_that_calibrate_take_whole_steps_and_forget_what_came_before() -> None:
    settings = settings_of(Strategy.NEWTON, rounds=2, average_last_share=1.0)
    state = ModelState.start(np.zeros(1), 1.0)
    for _ in range(3):
        state = next_state(state, np.ones(1), settings, clip_norm=1.0)  # 0.7, 1.4, 2.4

    assert state.parameters == pytest.approx([2.4])
    assert state.model == pytest.approx([2.4])


def test_before_any_average_the_model_is_the_newest_iterate() -> None:
    settings = settings_of(Strategy.FEDAVG, rounds=4, average_last_share=0.25)
    state = next_state(ModelState.start(np.zeros(1), 1.0), np.ones(1), settings, clip_norm=1.0)

    assert state.model.tolist() == [1.0]


def test_the_next_clip_norm_is_remembered() -> None:
    state = next_state(
        ModelState.start(np.zeros(1), 1.0), np.ones(1), settings_of(Strategy.FEDAVG), clip_norm=0.7
    )

    assert (state.round, state.clip_norm) == (1, 0.7)
