"""Silos that vanish at any moment of a run: an exact sum over the rest, or nothing is opened."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from privacy.wire import (
    CONTRIBUTE,
    HELLO,
    JOIN,
    START,
    UNMASK,
)
from server.errors import RoundAborted
from simulations.in_process_grid import Loss
from tests.server.lying_coordinator import NODES, Coordinator, Files, units_in
from tests.small_federation import SILOS, STORES


@pytest.fixture
def coordinator(silo_files: Files, tmp_path: Path) -> Coordinator:
    return Coordinator(silo_files, tmp_path / "out")


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("kind", [HELLO, JOIN, START])
def test_a_silo_lost_before_the_start_stops_the_run_before_any_sum(
    coordinator: Coordinator, kind: str, loss: Loss
) -> None:
    """Each silo in turn; then the same coordinator starts with everybody and the sum is exact."""
    for node in NODES:
        coordinator.grid.lost = {(node, kind): loss}
        with pytest.raises(Exception, match=r"does not take part|answered with") as stopped:
            coordinator.start()
        assert type(stopped.value).__module__ == "server.errors"
    assert CONTRIBUTE not in coordinator.grid.sent
    coordinator.grid.lost = {}
    assert units_in(coordinator.sum(coordinator.start())) == 4 * STORES


LOSSES = [((node, kind), loss) for kind in (CONTRIBUTE, UNMASK) for node in NODES for loss in Loss]


def test_every_pattern_of_up_to_two_losses_in_a_sum_is_exact_over_the_rest_or_opens_nothing(
    coordinator: Coordinator,
) -> None:
    """Four silos, three needed: before or after the silo's state changed, in either message, at any place."""
    plan = coordinator.start()
    whole = coordinator.sum(plan)
    patterns = [dict(losses) for size in (1, 2) for losses in combinations(LOSSES, size)]
    for number, lost in enumerate(patterns, start=2):
        coordinator.grid.lost = lost
        without_update = {node for node, kind in lost if kind == CONTRIBUTE}
        silent = {node for node, kind in lost if kind == UNMASK} | without_update
        if len(silent) > 1:
            with pytest.raises(RoundAborted, match=r"only . of 4 silos answered, 3 are needed"):
                coordinator.sum(plan, number)
            continue
        answer = coordinator.sum(plan, number)
        present = [silo for silo, node in zip(SILOS, NODES, strict=True) if node not in without_update]
        assert answer.silos == tuple(present)
        assert units_in(answer) == len(present) * STORES
        if not without_update:
            assert np.array_equal(answer.integers, whole.integers)
