"""One series alone cannot tell what media sell in their own week from whatever else moved both in that week.

Where there are many units, media that differ between them tell; in a single one only time does. There the unit's own
baseline may therefore also follow media of the same week: what media and sales have in common at once counts for
little, what media sell in later weeks counts in full. A demand shock that nobody measured, and that media followed, is
then not taken for an effect. The price: of a channel that sells at once and never later, what is believed beforehand is
all there is. So this is done for channels about whose return something is believed or an experiment has said
something, and for no other; and it is one of two readings (`averaged_readings.py`), never the only one.
"""

from collections.abc import Collection

import torch

from mmm_models.baseline_basis import standardise
from mmm_models.network import MediaResponse
from mmm_models.response_prior import judged_by_roi
from mmm_models.unit_data import UnitData, with_features


def with_same_week_media(data: UnitData, response: MediaResponse, tested: Collection[int] = ()) -> UnitData:
    """The record of a single unit whose baseline may also follow same-week media of the channels judged by ROI and of
    those that were `tested` by experiments.

    Exposures as they are, neither carried over nor saturated: nobody knows the curve by which media followed a shock.
    Standardised over training weeks, times `BaselineSpec.same_week_media_sd`. The very same `data` where several units
    take part, that setting is zero, or there is no such channel. The noise stays as it was estimated without:
    estimated anew it would be smaller by what media explain, and the data be trusted more again.
    """
    width = response.spec.baseline.same_week_media_sd
    judged = judged_by_roi(response.spend_per_revenue)
    channels = [index for index, known in enumerate(judged) if known or index in tested]
    if width == 0 or not channels or int((data.train > 0).any(dim=1).sum()) != 1:
        return data
    exposures = (
        data.media[..., channels].double().numpy()
    )  # reach, where there is any, stands behind all exposures
    moved = width * standardise(exposures, data.train.numpy() > 0)
    return with_features(data, torch.as_tensor(moved), tuple(f"same_week_{index}" for index in channels))
