"""Shapes that are plain media, so that effects can be worked out by hand."""

from mmm_models.features.carry_over import CarryOver, CarryOverKind
from mmm_models.features.media_transform import MediaTransform
from mmm_models.features.saturation import Saturation, SaturationKind
from mmm_models.peers.transform_search import ChannelShape

PLAIN = ChannelShape(
    (MediaTransform(CarryOver(CarryOverKind.GEOMETRIC, 0.0), Saturation(SaturationKind.POWER, 1.0)),), (1.0,)
)
ROOT = ChannelShape(
    (MediaTransform(CarryOver(CarryOverKind.GEOMETRIC, 0.0), Saturation(SaturationKind.POWER, 0.5)),), (1.0,)
)
