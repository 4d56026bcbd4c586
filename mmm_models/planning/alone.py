"""One channel's media moved while all others stay as they were."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]
Response = Callable[[Tensor], Tensor]  # intensity [part, channel] to contributions [..., part, channel]


@dataclass(frozen=True, eq=False)
class MovedAlone:
    """Media to ask about `[part, channel]`, and the channels whose answer counts."""

    media: Tensor
    columns: list[int]

    def counted(self, change: Array) -> Array:
        """Of what changed `[..., part, channel]`: each channel's own or, where only one was moved, all channels'."""
        return change.sum(axis=-1, keepdims=True) if len(self.columns) == 1 else change[..., self.columns]


def moved_alone(look: Outlook, media: Tensor, moved: Tensor) -> Iterator[MovedAlone]:
    """From `media` to `moved` one channel after another; all at once where none feels the others."""
    channels = range(media.shape[1])
    for columns in [[channel] for channel in channels] if look.likely.draws.pairs else [[*channels]]:
        asked = media.clone()
        asked[:, columns] = moved[:, columns]
        yield MovedAlone(asked, columns)


def own_at(look: Outlook, response: Response, factor: float) -> Array:
    """Contributions `[..., part, channel]`, each with its own media times `factor`, in the outcome's unit."""
    found = [response(alone.media)[..., alone.columns].numpy() for alone in _scaled(look, factor)]
    return np.concatenate(found, axis=-1)


def gain_at(look: Outlook, response: Response, factor: float) -> Array:
    """What all channels together contribute more `[..., part, channel]` when one has its media times `factor`."""
    now = response(torch.from_numpy(look.period.intensity))
    found = [alone.counted((response(alone.media) - now).numpy()) for alone in _scaled(look, factor)]
    return np.concatenate(found, axis=-1)


def _scaled(look: Outlook, factor: float) -> Iterator[MovedAlone]:
    now = torch.from_numpy(look.period.intensity)
    return moved_alone(look, now, now * factor)
