"""Which engineered features a table holds, and what its columns are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmm_models.features.carry_over import CarryOver, CarryOverKind
from mmm_models.features.interactions import channel_pairs
from mmm_models.features.saturation import Saturation, SaturationKind


@dataclass(frozen=True)
class FeatureSet:
    """Views of media, the same for every channel, and products of two channels.

    Each carry-over gives a column, and one more for each of `saturations` after it. `products` multiplies the last
    column of every two channels. Raises ValueError for a set without any view.
    """

    lags: tuple[int, ...]
    carry_overs: tuple[CarryOver, ...]
    saturations: tuple[Saturation, ...] = ()
    products: bool = False

    def __post_init__(self) -> None:
        if not self.lags and not self.carry_overs:
            raise ValueError("a set of features needs a lag or a carry-over")

    @property
    def per_channel(self) -> int:
        """Columns of one channel."""
        return len(self.lags) + len(self.carry_overs) * (1 + len(self.saturations))

    def n_columns(self, channels: int) -> int:
        """Columns of all channels, products included."""
        return channels * self.per_channel + (len(channel_pairs(channels)) if self.products else 0)

    def names(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """What the columns hold, in order: channel by channel, then products."""
        own = [f"{name}, {view}" for name in channels for view in self._views()]
        pairs = channel_pairs(len(channels)) if self.products else ()
        return (*own, *(f"{channels[first]} x {channels[second]}" for first, second in pairs))

    def _views(self) -> Iterator[str]:
        yield from (f"lag {lag}" for lag in self.lags)
        for lag in self.carry_overs:
            name = f"{lag.kind} {lag.first:g} {lag.second:g}"
            yield name
            yield from (
                f"{name}, {curve.kind} {curve.first:g} {curve.second:g}" for curve in self.saturations
            )


# For trees, which find thresholds themselves: a curve that never falls tells them nothing, nor does a product.
FOR_TREES = FeatureSet(
    lags=(0, 1),
    carry_overs=(
        CarryOver(CarryOverKind.GEOMETRIC, 0.3),
        CarryOver(CarryOverKind.GEOMETRIC, 0.6),
        CarryOver(CarryOverKind.DELAYED, 0.7, 1.0),
        CarryOver(CarryOverKind.WEIBULL, 2.0, 3.0),
    ),
)
# One of every kind, for models that cannot bend by themselves.
EVERY_KIND = FeatureSet(
    lags=(0, 1, 2),
    carry_overs=(CarryOver(CarryOverKind.GEOMETRIC, 0.3), CarryOver(CarryOverKind.GEOMETRIC, 0.6)),
    saturations=(Saturation(SaturationKind.HILL, 1.0),),
    products=True,
)
