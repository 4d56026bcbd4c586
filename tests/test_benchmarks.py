"""Every benchmark still runs, at toy size. What it measures belongs to a machine and is not asserted."""

import importlib
import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import BENCHMARKS, main, run
from benchmarks.known_worlds import known_world, scenario
from benchmarks.line import Band, Bar, Line, Measured, Setting, table
from benchmarks.oracle import oracle_errors
from benchmarks.stopwatch import interleaved
from simulations.world import make_world

# What each must say something about; the words of the limits the project promises.
PROMISES = {
    "demo": ["start to report", "peak memory"],
    "secure-round": ["secure round", "faster than Flower's SecAgg+, its simulation"],
    "mask-protocol": ["largest error of a sum beyond its noise"],
    "paillier": ["less time than phe plainly", "fewer bytes than phe plainly"],
    "panel-load": ["load and check"],
    "features": ["40,000 records, 51 features each"],
    "neural-fit": ["fit, 300 units x 104 weeks x 5 channels, 3 steps", "of which training steps"],
    "dp-step": ["private step / plain step", "noised integer sum / plain sum"],
    "accuracy": ["hold-out nRMSE", "share error", "masked and plain sums", "oracle"],
    "local-dp": ["as released", "of the model", "hold-out nRMSE"],
    "attribution": [
        "no calibration: mean relative channel error",
        "no calibration: hold-out MAPE above ridge",
        "no calibration: fit, intervals included",
        "two lift tests, standard error 5%: share error",
        "two lift tests, standard error 10%: channel error / oracle's",
        "oracle: share error",
    ],
    "coverage": [
        "contribution covered",
        "marginal ROI covered",
        "curve at half its media covered",
        "two lift tests, standard error 5%: contribution covered",
        "interval width",
    ],
    "national": [
        "hidden shock: mean relative channel error",
        "shock nobody followed: contribution covered",
        "in full",
        "no money, followers tested: their contribution covered",
    ],
    "peers": ["neural: share error", "ridge: mean relative channel error", "boosting: fit", "oracle"],
    "plans": [
        "true regret",
        "worlds no worse",
        "promised / true",
        "90 % interval",
        "up and down",
        "oracle's",
    ],
    "optimiser": ["points a channel / ours", "random starts / ours"],
    "planning-speed": ["what-if, p95", "plan for a total, p95", "plan for a return, p95", "frontier"],
    "model-service": ["what-if over HTTP, 8 clients, p95"],
    "federated-attribution": [
        "federated / centralised",
        "total media, federated / centralised",
        "interval widths",
    ],
    "distributed-dp": ["central DP-SGD", "distributed / local", "channel error above no noise"],
    "room-upload": ["check and seal", "peak memory beyond that of a quarter of the rows", "open and load"],
    "room-query": [
        "overlap, through the room",
        "overlap, plain DuckDB",
        "worker's peak memory",
        "upload through HTTP",
    ],
    "room-enclave": ["what that adds", "sandboxed / plain", "opening a sealed file"],
    "poisoning": ["nobody lies / bound 20", "change times -100 / none", "total media"],
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("benchmarks"), quick=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "secure-round"])
def test_a_benchmark_measures_what_it_promises(name: str, toy: Setting) -> None:
    lines = run(name, toy).lines

    assert [word for word in PROMISES[name] if not any(word in line.what for line in lines)] == []
    assert [line.what for line in lines if not math.isfinite(line.measured)] == []


@pytest.mark.slow
def test_secure_rounds_are_measured_beside_flowers_own(toy: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same grid here; Flower's simulation on Ray is the next test's."""
    secure_round = importlib.import_module(BENCHMARKS["secure-round"])
    monkeypatch.setattr(secure_round, "ray_rounds", lambda case: ())
    measured = {line.what: line for line in secure_round.measure(toy)}

    assert measured["masked sum against floating-point sum"].verdict == "met"
    assert measured["Flower's SecAgg+, our in-process grid"].measured > 0
    assert measured["faster than Flower's SecAgg+, its simulation"].verdict == "not measured"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an optional extra")
def test_flowers_secagg_plus_runs_on_its_own_simulation() -> None:
    """Three rounds, of which the first, which starts Ray's workers, is not counted."""
    from benchmarks.secagg_plus import PeerCase, ray_rounds

    seconds = ray_rounds(PeerCase(silos=3, values=10, rounds=3))

    assert len(seconds) == 2
    assert min(seconds) > 0


def test_a_world_is_made_once_however_it_is_asked_for(toy: Setting) -> None:
    assert known_world(toy, 1) is known_world(toy, 1, "default")
    assert known_world(toy, 1) is not known_world(toy, 1, "geo")


def test_every_benchmark_has_a_promise() -> None:
    assert PROMISES.keys() == BENCHMARKS.keys()


def test_the_command_prints_a_table_and_writes_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["mask-protocol", "--quick", "--out", str(tmp_path / "build" / "out.json")])
    stored = json.loads((tmp_path / "build" / "out.json").read_text(encoding="utf-8"))

    assert "largest error of a sum beyond its noise" in capsys.readouterr().out
    assert [item["benchmark"] for item in stored["benchmarks"]] == ["mask-protocol"]
    assert stored["quick"] is True


def test_an_unknown_benchmark_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["nonsense"])

    assert stopped.value.code == 2
    assert "no benchmark nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    "measured, bar, ratio, verdict",
    [
        (60.0, Bar(120.0), 0.5, "met"),
        (180.0, Bar(120.0), 1.5, "MISSED"),
        (60.0, Bar(30.0, at_least=True), 2.0, "met"),
        (15.0, Bar(30.0, at_least=True), 0.5, "MISSED"),
        (0.85, Band(0.80, 0.90), 1.0, "met"),
        (0.80, Band(0.80, 1.20), 0.8, "met"),
        (0.75, Band(0.80, 0.90), 0.75 / 0.85, "MISSED"),
        (1.0, Band(0.80, 0.90), 1.0 / 0.85, "MISSED"),
    ],
)
def test_a_line_says_whether_its_bar_is_met(
    measured: float, bar: Bar | Band, ratio: float, verdict: str
) -> None:
    line = Line("something", measured, "s", bar)

    assert line.ratio == pytest.approx(ratio)
    assert line.verdict == verdict


@pytest.mark.parametrize("bar", [Bar(1.0), Band(0.0, 1.0)])
def test_what_was_not_measured_is_not_met(bar: Bar | Band) -> None:
    line = Line("something", math.nan, "s", bar)

    assert line.verdict == "not measured"
    assert " met" not in table([Measured("x", (line,), 0.0, 0.0)])


def test_ways_are_timed_in_turns() -> None:
    called: list[str] = []
    seconds = interleaved({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, repetitions=2)

    assert called == ["a", "b", "a", "b"]
    assert [len(seconds[name]) for name in "ab"] == [2, 2]


def test_an_oracle_is_right_where_nothing_is_left_to_find() -> None:
    """Equal effects in all units, no noise, shocks or seasons, search that ignores demand: least squares is exact."""
    toy = scenario(quick=True, seed=1)
    quiet = {"noise_low": 1e-6, "noise_high": 1e-6, "demand_shock_sd": 0.0, "season_amplitude": 0.0}
    channels = tuple(channel.model_copy(update={"demand_elasticity": 0.0}) for channel in toy.channels)
    plain = toy.model_copy(
        update={
            "silo_log_sd": 0.0,
            "unit_log_sd": 0.0,
            "baseline": toy.baseline.model_copy(update=quiet),
            "channels": channels,
        }
    )

    assert np.abs(oracle_errors(make_world(plain)).relative).max() < 0.02
