"""While tests run, a call into `mmm_models` that its signature does not allow is refused."""

import numpy as np
import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.panel import Channel, ChannelKind
from tests.checked_shapes import checked


@jaxtyped(typechecker=checked)
def _weekly_total(media: Float[Tensor, "week channel"], weight: float) -> Float[Tensor, "week"]:
    return media.sum(dim=-1) * weight


@jaxtyped(typechecker=checked)
def _first(weeks: NDArray[np.datetime64]) -> np.datetime64:
    return np.datetime64(weeks[0])


def test_an_int_may_stand_for_a_float() -> None:
    assert _weekly_total(torch.ones(3, 2), 2).tolist() == [4.0, 4.0, 4.0]


def test_dates_of_any_resolution_are_dates() -> None:
    assert _first(np.array(["2024-01-01"], dtype="datetime64[D]")) == np.datetime64("2024-01-01")


@pytest.mark.parametrize("media", [torch.ones(3), torch.ones(2, 3, 2), torch.ones(3, 2, dtype=torch.int64)])
def test_a_wrong_shape_or_dtype_is_refused(media: Tensor) -> None:
    with pytest.raises(TypeCheckError):
        _weekly_total(media, 1.0)


def test_each_unit_is_checked_on_its_own_under_vmap() -> None:
    per_unit = torch.func.vmap(_weekly_total, in_dims=(0, None))

    assert per_unit(torch.ones(4, 3, 2), 1.0).shape == (4, 3)


def test_the_check_is_installed_for_the_models() -> None:
    with pytest.raises(TypeCheckError):
        Channel(name=3, kind=ChannelKind.PAID, exposure_unit="")  # type: ignore[arg-type]
