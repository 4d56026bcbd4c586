"""The settings of one run, parsed once from Flower's flat run configuration; unknown keys are errors."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmm_models.federated_spec import LocalOptimizer, LocalTraining
from mmm_models.spec import ModelSpec, PoolingSpec
from privacy.enclave.isolation import Isolation
from privacy.run_terms import PrivacyMode, SecureAggregation
from privacy.sum_schedule import CURVATURE_BEFORE_ROUND
from server.errors import SettingsInvalid

Positive = Annotated[float, Field(gt=0.0)]


class Strategy(StrEnum):
    """How the coordinator turns a sum into the next model; auto: newton with noise, else fedadam."""

    AUTO = "auto"
    FEDAVG = "fedavg"
    FEDPROX = "fedprox"
    FEDADAM = "fedadam"
    NEWTON = "newton"


class RobustRule(StrEnum):
    """What replaces the weighted mean of silos' changes, so that a few liars move it little; Flower's own rules."""

    NONE = "none"
    MEDIAN = "median"
    TRIMMED_MEAN = "trimmed-mean"
    KRUM = "krum"
    MULTI_KRUM = "multi-krum"
    BULYAN = "bulyan"


class OnFailure(StrEnum):
    """What to do when a silo fails a round."""

    EXCLUDE = "exclude"
    ABORT = "abort"


_SILOS_ONLY_ADD_UP = (Strategy.NEWTON, Strategy.FEDADAM)
# Optimizer, steps and learning rate in the silo.
_LOCAL_DEFAULTS = {
    Strategy.NEWTON: (LocalOptimizer.NONE, 1, 1.0),
    Strategy.FEDADAM: (LocalOptimizer.SGD, 1, 0.002),
    Strategy.FEDAVG: (LocalOptimizer.ADAM, 5, 0.02),
    Strategy.FEDPROX: (LocalOptimizer.ADAM, 5, 0.02),
}


class RunSettings(BaseModel):
    """Everything that decides a run. `silos` lists the silo files of a simulation, one a line, for the clients.

    With `fedadam` and one local step a round is one step of full-batch Adam on the union of all silos' units:
    federated training then is centralised training. `newton` reaches the same in far fewer rounds, with curvature
    summed over silos as well. `fedavg` and `fedprox` take many local steps a round.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )

    out: str = ""
    run_id: str = ""
    resume: bool = False
    silos: str = ""
    expected_silos: Annotated[int, Field(ge=1)] = 1
    wait_seconds: Positive = 120.0
    timeout_seconds: Positive = 600.0
    on_failure: OnFailure = OnFailure.EXCLUDE
    strategy: Strategy = Strategy.AUTO
    rounds: Annotated[int, Field(ge=0)] = 0
    local_steps: Annotated[int, Field(ge=0)] = 0
    server_learning_rate: Annotated[float, Field(ge=0.0)] = 0.0
    local_learning_rate: Annotated[float, Field(ge=0.0)] = 0.0
    proximal: Annotated[float, Field(ge=0.0)] = 0.1
    average_last_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    holdout_weeks: Annotated[int, Field(ge=0)] = 24
    weeks: Annotated[int, Field(ge=1)] = 104
    seed: int = 1
    synergy: bool = False
    effect_waves: Annotated[int, Field(ge=0, le=6)] = 0
    privacy: PrivacyMode = PrivacyMode.NONE
    epsilon: Annotated[float, Field(ge=0.0)] = 0.0
    delta: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    clip_norm: Annotated[float, Field(ge=0.0)] = 0.0
    clip_quantile: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    sample_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    tolerated_dropouts: Annotated[int, Field(ge=0)] = 1
    colluding: Annotated[int, Field(ge=0)] = 1
    secure_aggregation: SecureAggregation = SecureAggregation.MASKS
    enclave: bool = False
    enclave_isolation: Isolation = Isolation.FULL
    enclave_home: str = ""
    paillier_bits: Annotated[int, Field(ge=2048)] = 3072
    update_norm_bound: Annotated[float, Field(ge=0.0)] = 8.0
    max_units_per_silo: Annotated[int, Field(ge=0)] = 0
    robust_rule: RobustRule = RobustRule.NONE
    suspected_silos: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _privacy_is_whole(self) -> Self:
        if self.private and (self.epsilon <= 0 or self.delta <= 0):
            raise ValueError("privacy needs epsilon and delta; add --epsilon and --delta")
        if not self.private and (self.epsilon or self.delta):
            raise ValueError("epsilon and delta are only used with --privacy local or --privacy distributed")
        if self.distributed and self.secure_aggregation is SecureAggregation.NONE:
            raise ValueError(
                "privacy distributed hides each silo's share of the noise in a secure sum; "
                "leave secure-aggregation at masks, or choose privacy local"
            )
        if self.distributed and (self.chosen_strategy not in _SILOS_ONLY_ADD_UP or self.local_steps > 1):
            raise ValueError(
                "privacy distributed needs one gradient sum a round; use strategy newton or fedadam and one local step"
            )
        if self.chosen_strategy is Strategy.NEWTON and self.local_steps > 1:
            raise ValueError(
                "strategy newton takes its steps at the coordinator; leave local-steps out, or use fedavg"
            )
        if not self.private and self.sample_rate < 1.0:
            raise ValueError("sample-rate is only used with noise; remove it")
        return self

    @model_validator(mode="after")
    def _robustness_is_possible(self) -> Self:
        if self.robust_rule is not RobustRule.NONE and self.secure_aggregation is not SecureAggregation.NONE:
            raise ValueError(
                f"robust-rule {self.robust_rule} compares single silos' changes, which secure aggregation hides; "
                "add --secure-aggregation none, or leave robust-rule at none (update-norm-bound works with both)"
            )
        if self.robust_rule is not RobustRule.NONE and self.chosen_strategy is Strategy.NEWTON:
            raise ValueError(
                "robust-rule compares silos' mean changes; use strategy fedadam, fedavg or fedprox"
            )
        if self.private and self.max_units_per_silo:
            raise ValueError(
                "max-units-per-silo is not used with noise, where each unit's gradient is clipped; remove it"
            )
        return self

    @model_validator(mode="after")
    def _enclave_is_possible(self) -> Self:
        if self.enclave and self.robust_rule is not RobustRule.NONE:
            raise ValueError(
                f"robust-rule {self.robust_rule} compares single silos' changes, which an enclave hides; leave one out"
            )
        if self.enclave and self.secure_aggregation is SecureAggregation.PAILLIER:
            raise ValueError(
                "with secure-aggregation paillier the coordinator holds nothing that an enclave could hide; choose "
                "masks or none with the enclave, or put the key holder in one (`mixroom key-holder create --enclave`)"
            )
        if self.enclave_isolation is Isolation.NONE:
            raise ValueError("enclave-isolation none is for debugging; silos refuse it. Use full or reduced")
        return self

    @property
    def model(self) -> ModelSpec:
        pooled = PoolingSpec() if self.intervals else PoolingSpec(unit_effect_sd=0.0, unit_shape_sd=0.0)
        return ModelSpec(synergy=self.synergy, effect_waves=self.effect_waves, pooling=pooled)

    @property
    def intervals(self) -> bool:
        """Whether silos also sum what units' own deviations and intervals need: curvature and slopes, without noise."""
        return self.chosen_strategy is Strategy.NEWTON and not self.private

    @property
    def chosen_strategy(self) -> Strategy:
        """The strategy with auto resolved: Newton's method, which knows how sure it is, where silos only add up."""
        if self.strategy is not Strategy.AUTO:
            return self.strategy
        only_add_up = self.local_steps <= 1 and self.robust_rule is RobustRule.NONE
        return Strategy.NEWTON if self.private or only_add_up else Strategy.FEDADAM

    @property
    def local(self) -> LocalTraining:
        """The silos' part; zeros in the settings mean the strategy's own default."""
        strategy = self.chosen_strategy
        optimizer, steps, rate = _LOCAL_DEFAULTS[strategy]
        if self.distributed:
            optimizer, steps, rate = _LOCAL_DEFAULTS[Strategy.NEWTON]
        return LocalTraining(
            optimizer=optimizer,
            steps=self.local_steps or steps,
            learning_rate=self.local_learning_rate or rate,
            proximal=self.proximal if strategy is Strategy.FEDPROX else 0.0,
            # With noise each unit's gradient is clipped, and a bound on the noised sum would shorten noise only.
            update_norm_bound=0.0 if self.private else self.update_norm_bound,
            max_units=self.max_units_per_silo,
        )

    @property
    def step_size(self) -> float:
        """The coordinator's learning rate."""
        usual = {
            Strategy.FEDADAM: 0.15 if self.private else 0.08,
            Strategy.NEWTON: 0.5 if self.private else 0.7,
        }
        return self.server_learning_rate or usual.get(self.chosen_strategy, 1.0)

    @property
    def private(self) -> bool:
        return self.privacy is not PrivacyMode.NONE

    @property
    def distributed(self) -> bool:
        return self.privacy is PrivacyMode.DISTRIBUTED

    @property
    def expected_nodes(self) -> int:
        """Silos, and the key holder where there is one."""
        return self.expected_silos + (self.secure_aggregation is SecureAggregation.PAILLIER)

    @property
    def planned_rounds(self) -> int:
        """Noise makes late rounds worth less than fewer, less noisy ones; Newton's method needs few anyway."""
        usual = (25, 12) if self.chosen_strategy is Strategy.NEWTON else (80, 150)
        return self.rounds or usual[0 if self.private else 1]

    @property
    def curvatures(self) -> int:
        """Curvature sums of the run."""
        return len(CURVATURE_BEFORE_ROUND) if self.chosen_strategy is Strategy.NEWTON else 0

    @property
    def averaged_share(self) -> float:
        """Share of the last iterates whose mean is the model."""
        usual = 0.6 if self.chosen_strategy is Strategy.NEWTON else 0.4
        return self.average_last_share or (usual if self.private else 0.25)

    @property
    def enclave_directory(self) -> Path:
        """Where this coordinator keeps the root of its emulated enclaves."""
        if self.enclave_home:
            return Path(self.enclave_home)
        state = os.environ.get("XDG_STATE_HOME")
        return (Path(state) if state else Path.home() / ".local" / "state") / "mixroom" / "enclave"

    @property
    def directory(self) -> Path:
        return Path(self.out)

    def to_run_config(self) -> dict[str, str | int | float | bool]:
        """Flower's flat form: hyphenated keys, plain values."""
        return self.model_dump(by_alias=True, mode="json")


def parse_settings(run_config: dict[str, Any]) -> RunSettings:
    """Raises SettingsInvalid naming every key that is wrong."""
    try:
        return RunSettings.model_validate(run_config)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()
        )
        raise SettingsInvalid(
            f"the run's settings are wrong: {wrong}", hint="see docs/settings.md"
        ) from error
