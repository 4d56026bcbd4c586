"""One channel's media scaled while all others stay as they were."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]
Response = Callable[[Tensor], Tensor]  # intensity [part, channel] to contributions [..., part, channel]


def own_at(look: Outlook, response: Response, factor: float) -> Array:
    """Contributions `[..., part, channel]`, each with its own media times `factor`, in the outcome's unit."""
    found = [response(media)[..., columns] for media, columns in _moved(look, factor)]
    return np.asarray(torch.cat(found, dim=-1).numpy())


def gain_at(look: Outlook, response: Response, factor: float) -> Array:
    """What all channels together contribute more `[..., part, channel]` when one has its media times `factor`."""
    now = response(torch.from_numpy(look.period.intensity))
    found = []
    for media, columns in _moved(look, factor):
        change = response(media) - now
        together = len(columns) == 1
        found.append(change.sum(dim=-1, keepdim=True) if together else change[..., columns])
    return np.asarray(torch.cat(found, dim=-1).numpy())


def _moved(look: Outlook, factor: float) -> Iterator[tuple[Tensor, list[int]]]:
    """Media to ask about, and the channels whose answer counts: all at once where none feels the others."""
    now = torch.from_numpy(look.period.intensity)
    channels = range(now.shape[1])
    for columns in [[channel] for channel in channels] if look.likely.draws.pairs else [[*channels]]:
        moved = now.clone()
        moved[:, columns] *= factor
        yield moved, columns
