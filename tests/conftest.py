"""What every test gets: quiet libraries, one thread, fixed seeds, checked shapes, sample panels."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

# Before NumPy (whose BLAS counts its threads once), torch, Flower or Ray are imported, and inherited by every process a
# test starts.
os.environ.update(
    FLWR_TELEMETRY_ENABLED="0",
    FLWR_DISABLE_UPDATE_CHECK="1",
    RAY_USAGE_STATS_ENABLED="0",
    MPLBACKEND="Agg",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
)

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests import checked_shapes

# Before any module of `mmm_models` is imported. The hook finds the check by this name, once it is loaded.
install_import_hook("mmm_models", f"{checked_shapes.__name__}.checked")

# The same examples on every machine; `deadline` would measure the machine, not the code.
settings.register_profile("mixroom", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("mixroom")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: a mistake shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Silos note their ledgers' heads in the user's state directory: one of this session alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public sample panels kept beside the checkout; tests that need them are skipped elsewhere."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public sample panels are not beside this checkout")
    return folder
