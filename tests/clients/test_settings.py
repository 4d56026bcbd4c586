"""Which silo a client serves."""

from pathlib import Path

import pytest

from clients.errors import SiloNotConfigured
from clients.settings import SiloSettings

LISTED = {"silos": "/data/a b/north.toml\n/data/south.toml"}


def test_the_nodes_own_configuration_comes_first() -> None:
    settings = SiloSettings.read({"silo": "/own.toml", "partition-id": 1}, {**LISTED})

    assert settings.spec_path == Path("/own.toml")


@pytest.mark.parametrize("place, path", [(0, "/data/a b/north.toml"), (1, "/data/south.toml")])
def test_a_simulated_client_takes_its_place_in_the_list(place: int, path: str) -> None:
    assert SiloSettings.read({"partition-id": place}, {**LISTED}).spec_path == Path(path)


@pytest.mark.parametrize("node", [{}, {"silo": ""}, {"partition-id": 2}, {"partition-id": -1}, {"silo": 7}])
def test_a_client_that_serves_no_silo_says_how_to_start_it(node: dict[str, object]) -> None:
    with pytest.raises(SiloNotConfigured) as refused:
        SiloSettings.read(node, {**LISTED})

    assert "--node-config" in refused.value.hint
