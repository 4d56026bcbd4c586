"""`flwr run` on Flower's Ray simulation, with the repository as the app, finds what the in-process run finds."""

import importlib.util
import json
from pathlib import Path

import pytest

from simulations.federation import enrol_together
from tests.simulations.own_superlink import COMPLETED, own_superlink
from tests.small_federation import settings_for, train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="the optional extra `ray` is not installed"
    ),
]


def test_the_same_apps_find_the_same_numbers_on_ray(
    silo_files: tuple[Path, ...], tmp_path: Path, repository: Path
) -> None:
    silos = silo_files[:3]
    here, on_ray = (
        settings_for(
            tmp_path / name, rounds=2, expected_silos=3, silos="\n".join(map(str, silos)), wait_seconds=90.0
        )
        for name in ("here", "on ray")
    )
    enrol_together(silos)
    train(silos, here)

    with own_superlink(tmp_path) as superlink:
        ended = superlink.run(repository, on_ray.to_run_config(), silos=3)

    assert ended == COMPLETED
    expected, found = (_results(settings.directory) for settings in (here, on_ray))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=1e-6), name
        else:
            assert found[name] == value, name


def _results(directory: Path) -> dict[str, object]:
    """results.json as flat names and values."""

    def flat(prefix: str, value: object) -> dict[str, object]:
        items = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else None
        )
        if items is None:
            return {prefix: value}
        return {name: leaf for key, item in items for name, leaf in flat(f"{prefix}.{key}", item).items()}

    return flat("", json.loads((directory / "results.json").read_text(encoding="utf-8")))
