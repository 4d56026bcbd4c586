"""What a neural MMM is made of: every setting with its meaning and default."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Weeks = Annotated[int, Field(ge=1)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaselineSpec(_Spec):
    """Prior of each unit's own baseline: standard deviations, in multiples of its mean outcome.

    `same_week_media_sd` is for pooled fits of a single unit alone (`same_week_media.py`): per standard deviation of a
    paid channel's media in the same week, in one of two readings.
    """

    intercept_sd: Positive = 10.0
    trend_sd_per_year: Positive = 0.1
    season_pairs: Annotated[int, Field(ge=0, le=12)] = 6
    season_sd: Positive = 0.1
    control_sd: Positive = 0.1
    drift_sd: NonNegative = 0.03
    drift_weeks: Weeks = 8
    same_week_media_sd: NonNegative = 0.05


class ResponsePrior(_Spec):
    """What is believed of the shared response before seeing data (means and standard deviations).

    Paid channels: log ROI scatters by `log_roi_sd` around a common mean, itself `log_roi_mean` give or take
    `log_roi_mean_sd`, so a channel the data say little about is drawn towards the others. Channels without
    spend, or whose spend cannot be compared with revenue (`judged_by_roi`): the log effect at typical media,
    as a share of a unit's mean outcome. Half-saturation is in multiples of typical media, decay a logit,
    delay and synergy before softplus.
    The prior weighs as much as one unit in `units_per_prior` (plus once for all), however many units there
    are: units differ in ways one shared response cannot follow, so their likelihoods may not be multiplied
    without end (coarsened likelihood, Miller and Dunson 2019).
    """

    log_roi_mean: float = 0.5
    log_roi_mean_sd: Positive = 0.7
    log_roi_sd: Positive = 0.5
    log_effect_mean: float = -3.5
    log_effect_sd: Positive = 1.0
    log_half_saturation_mean: float = -0.3
    log_half_saturation_sd: Positive = 0.5
    log_slope_mean: float = 0.1
    log_slope_sd: Positive = 0.2
    decay_logit_mean: float = -0.5
    decay_logit_sd: Positive = 1.0
    delay_mean: float = -1.5
    delay_sd: Positive = 1.0
    log_half_frequency_mean: float = -0.36
    log_half_frequency_sd: Positive = 0.4
    log_slope_frequency_mean: float = 0.7
    log_slope_frequency_sd: Positive = 0.4
    synergy_sd: Positive = 0.01
    wave_sd: Positive = 0.2
    units_per_prior: Positive = 60.0


class PoolingSpec(_Spec):
    """How far units and silos differ from the shared response (partial pooling): standard deviations of logarithms.

    `unit_effect_sd`: of a unit's effect of each channel; `unit_shape_sd`: of its half-saturation and, as a logit, of
    its decay. Zero for both: every unit responds alike. Silos with a promise of noise are trained that way: bounds of
    their records were set without. `silo_effect_sd` and `silo_shape_sd` are a silo's, which it estimates for itself
    after training (`own_response.py`).
    """

    unit_effect_sd: NonNegative = 0.2
    unit_shape_sd: NonNegative = 0.2
    silo_effect_sd: NonNegative = 0.15
    silo_shape_sd: NonNegative = 0.15

    @property
    def partial(self) -> bool:
        """Whether units may differ at all."""
        return self.unit_effect_sd > 0 or self.unit_shape_sd > 0


class ModelSpec(_Spec):
    """The neural MMM's structure: which parts it has, and what is believed before seeing data."""

    max_lag_weeks: Weeks = 13
    synergy: bool = False
    reach_frequency: bool = False
    effect_waves: Annotated[int, Field(ge=0, le=6)] = 0
    warm_up_weeks: Annotated[int, Field(ge=0)] = 0
    baseline: BaselineSpec = BaselineSpec()
    prior: ResponsePrior = ResponsePrior()
    pooling: PoolingSpec = PoolingSpec()


class TrainingSpec(_Spec):
    """Full-batch Adam on the shared response (Kingma and Ba 2015), with the last iterates averaged."""

    steps: Annotated[int, Field(ge=1)] = 300
    learning_rate: Positive = 0.05
    final_learning_rate_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    average_last_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.25
