"""Whole runs under shared noise: nothing is in a sum but the silos' records and their shares, and it is of use."""

import hashlib
import hmac
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from numpy.typing import NDArray

from clients.contributions import Task, contribute
from clients.silo_data import read_silo_data
from clients.silo_home import SiloHome
from mmm_models.federated_spec import GradientSum
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.panel_io import load_panel
from privacy.distributed_noise import read_sum
from privacy.run_releases import RunReleases
from privacy.secure_noise import KeyedNoise
from privacy.wire import CONTRIBUTE, UNMASK, SumRequest, from_record
from server.gauss_newton import newton_step
from server.rounds import Finished, train_federated
from server.run_store import RunStore
from server.silo_exchange import SiloExchange
from server.sum_questions import coordinates, response_at
from server.sum_store import SumStore
from simulations.in_process_grid import Delivery, InProcessGrid, Loss
from tests.small_federation import (
    BARELY_PRIVATE,
    FIRST_NODE,
    STORES,
    fresh_silos,
    generous,
    grid_of,
    settings_for,
    sharing_noise,
    train,
)

Files = tuple[Path, ...]
Integers = NDArray[np.uint64]
ROUNDS = 3
SETTINGS = sharing_noise(rounds=ROUNDS, run_id="shared")


class NotingGrid(InProcessGrid):
    """Keeps what silos are asked for."""

    asked: dict[int, SumRequest]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        sent = list(messages)
        for message in sent:
            if message.metadata.message_type == CONTRIBUTE:
                request = from_record(message.content, SumRequest)
                self.asked[request.round] = request
        return super().send_and_receive(sent, timeout=timeout)


class NoNoise:
    """Shows the records' sum itself."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
        raise AssertionError("integer noise only")

    def discrete_gaussian(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        return np.ones(count, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class WholeRun:
    """A finished run with everything that was asked and answered."""

    silo_files: Files
    directory: Path
    finished: Finished
    asked: dict[int, SumRequest]

    def opened(self, number: int) -> Integers:
        answer = SumStore(self.directory / "sums").load(self.asked[number])
        assert answer is not None
        return answer.integers

    def records_of(self, path: Path, number: int) -> Integers:
        """A silo's sum without its share of noise, computed on its own machine."""
        plan = self.finished.agreed.plan
        task = Task(self.asked[number], plan.model, plan.privacy, NoNoise(), 0.0)
        return contribute(read_silo_data(path, plan.model), task).integers

    def share_of(self, path: Path, number: int) -> Integers:
        """A silo's share of noise, from the key on its own disk, by hand."""
        request, home = self.asked[number], SiloHome.of(read_silo_spec(path))
        data = read_silo_data(path, self.finished.agreed.plan.model)
        digest = hashlib.sha256(request.model_digest + data.digest).digest()
        label = f"{request.run_id}|{number}|".encode() + digest
        key = hmac.new((home.directory / "noise.key").read_bytes(), label, hashlib.sha256).digest()
        return KeyedNoise(key).discrete_gaussian((request.length,)).view(np.uint64)


@pytest.fixture(scope="module")
def run(_written_world: Path, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    directory = tmp_path_factory.mktemp("shared")
    silo_files = generous(fresh_silos(_written_world, directory / "world"))
    settings = settings_for(directory / "run", **SETTINGS)
    grid = grid_of(silo_files, settings, kind=NotingGrid)
    assert isinstance(grid, NotingGrid)
    grid.asked = {}
    store = RunStore.create(settings)
    finished = train_federated(SiloExchange(grid, settings), settings, store, lambda _: None)
    return WholeRun(silo_files, settings.directory, finished, grid.asked)


def total(parts: Iterable[Integers], length: int) -> Integers:
    return sum(parts, np.zeros(length, dtype=np.uint64))


class TestEverySum:
    def test_is_the_silos_records_and_one_share_of_noise_each_and_nothing_else(self, run: WholeRun) -> None:
        """To the last bit, in all nine sums of the run: distributed noise is central noise in parts."""
        assert sorted(run.asked) == list(range(1, 10))
        for number, request in run.asked.items():
            shares = total((run.share_of(path, number) for path in run.silo_files), request.length)
            records = total((run.records_of(path, number) for path in run.silo_files), request.length)

            assert (run.opened(number) - shares).tolist() == records.tolist(), request.purpose

    def test_without_its_noise_is_what_a_central_owner_of_all_data_would_sum(self, run: WholeRun) -> None:
        """The scales: stores counted once each, and once per quantity they have."""
        plan = run.finished.agreed.plan
        release = RunReleases(plan.privacy).scales(
            plan.model.scale_quantities, plan.model.scales_sum(private=True).length
        )
        records = total((run.records_of(path, 1) for path in run.silo_files), run.asked[1].length)
        counts = read_sum(records, release)

        assert counts[-1] == pytest.approx(4 * STORES, rel=1e-5)
        assert counts[:-1].reshape(plan.model.scale_quantities, -1).sum(axis=1)[-3:] == pytest.approx(
            [4 * STORES] * 3, rel=1e-5
        )

    def test_asks_for_nothing_that_could_choose_or_tell_a_silos_noise(self, run: WholeRun) -> None:
        """Model, scales and public coordinates only; every silo is asked in the same words."""
        lengths = {request.purpose: len(request.values) for request in run.asked.values()}

        assert lengths == {"scales": 0, "curvature": 4, "round": 4, "draft": 2, "report": 3}


def test_a_round_is_divided_by_the_noised_number_of_units(run: WholeRun) -> None:
    """The mean gradient at the start, from the opened sum; the private number would be a secret in every step."""
    agreed, request = run.finished.agreed, run.asked[3]
    parameters, _, (clip_norm,), forward = request.vectors()
    release = RunReleases(agreed.plan.privacy).gradient(parameters.size, float(clip_norm))
    summed = GradientSum(parameters=parameters.size, private=True).gradient(read_sum(run.opened(3), release))
    response = response_at(agreed.plan, agreed.scales, parameters)
    first = json.loads((run.directory / "checkpoints" / "round-0001.json").read_text(encoding="utf-8"))[
        "state"
    ]
    information = np.array(first["information"])
    white = coordinates(agreed.plan, response, information, agreed.units)
    rate = settings_for(run.directory, **SETTINGS).step_size

    steps = {
        units: rate * newton_step(response, white.inverse @ summed / units, information, agreed.units)
        for units in (agreed.units, 4.0 * STORES)
    }
    taken = np.array(first["parameters"]) - parameters
    assert white.forward.reshape(-1) == pytest.approx(forward)
    assert agreed.units != 4 * STORES
    assert taken == pytest.approx(steps[agreed.units], rel=1e-9)
    assert taken != pytest.approx(steps[4.0 * STORES], rel=1e-9)


def test_results_are_finite_and_near_the_truth_of_all_silos_together(run: WholeRun) -> None:
    """Totals within five standard deviations of their noise; what only a silo should know is not told."""
    results = run.finished.results
    panels = [load_panel(path).panel for path in run.silo_files]
    outcome = sum(panel.outcome.sum() for panel in panels)

    assert results.private
    assert all(math.isfinite(channel.contribution) for channel in results.channels)
    assert results.outcome == pytest.approx(outcome, rel=0.5)
    assert results.outcome != pytest.approx(outcome, rel=1e-6)
    assert results.units != round(results.units)
    assert np.isfinite(run.finished.state.model).all()


def test_a_whole_run_states_what_was_promised_and_to_whom(generous_silo_files: Files, tmp_path: Path) -> None:
    """Epsilon grows with the number of silos that collude: none, the one planned for, and one more."""
    settings = settings_for(tmp_path / "run", **SETTINGS)
    train(generous_silo_files, settings)

    box: dict[str, Any] = json.loads((tmp_path / "run" / "privacy.json").read_text(encoding="utf-8"))
    assert (box["mode"], box["silos"], box["delta"]) == ("distributed", 4, 1e-4)
    assert 0.999 * BARELY_PRIVATE < box["epsilon"] <= BARELY_PRIVATE
    by_colluding = {int(number): epsilon for number, epsilon in box["colluding"]}
    assert sorted(by_colluding) == [0, 1, 2]
    assert by_colluding[0] < by_colluding[1] < by_colluding[2]
    assert by_colluding[1] == pytest.approx(box["epsilon"])
    rows = (tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[1:4] for row in rows] == [["", "", ""]] * ROUNDS


@pytest.mark.parametrize(
    "lost",
    [Delivery(FIRST_NODE + 1, CONTRIBUTE, occurrence=3), Delivery(FIRST_NODE + 2, UNMASK, occurrence=4)],
)
def test_a_run_goes_on_with_as_many_silos_as_carry_the_noise(
    generous_silo_files: Files, tmp_path: Path, lost: Delivery
) -> None:
    settings = settings_for(tmp_path / "run", **SETTINGS)

    results = train(generous_silo_files, settings, dropouts={lost: Loss.MESSAGE})

    assert math.isfinite(results.outcome)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"strategy": "fedadam"}, id="fedadam"),
        # Each silo composes privacy loss distributions on its own before it joins.
        pytest.param({"sample_rate": 0.5}, id="sampled", marks=pytest.mark.slow),
    ],
)
def test_other_ways_to_train_under_shared_noise_end_too(
    generous_silo_files: Files, tmp_path: Path, changes: dict[str, Any]
) -> None:
    results = train(generous_silo_files, settings_for(tmp_path / "run", **{**SETTINGS, **changes}))

    assert math.isfinite(results.outcome)
