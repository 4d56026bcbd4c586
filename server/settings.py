"""The settings of one run, parsed once from Flower's flat run configuration; unknown keys are errors."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmm_models.federated_spec import LocalOptimizer, LocalTraining
from mmm_models.spec import ModelSpec
from privacy.run_terms import PrivacyMode, SecureAggregation
from server.errors import SettingsInvalid

Positive = Annotated[float, Field(gt=0.0)]


class Strategy(StrEnum):
    """How the coordinator turns a sum into the next model."""

    FEDAVG = "fedavg"
    FEDPROX = "fedprox"
    FEDADAM = "fedadam"


class OnFailure(StrEnum):
    """What to do when a silo fails a round."""

    EXCLUDE = "exclude"
    ABORT = "abort"


class RunSettings(BaseModel):
    """Everything that decides a run. `silos` lists the silo files of a simulation, one a line, for the clients.

    With `fedadam` and one local step a round is one step of full-batch Adam on the union of all silos' units:
    federated training then is centralised training. `fedavg` and `fedprox` take many local steps a round for
    deployments where messages are dear.
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
    strategy: Strategy = Strategy.FEDADAM
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
    clip_norm: Positive = 5.0
    clip_quantile: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    secure_aggregation: SecureAggregation = SecureAggregation.MASKS

    @model_validator(mode="after")
    def _privacy_is_whole(self) -> Self:
        if self.private and (self.epsilon <= 0 or self.delta <= 0):
            raise ValueError("privacy needs epsilon and delta; add --epsilon and --delta")
        if not self.private and (self.epsilon or self.delta):
            raise ValueError("epsilon and delta are only used with --privacy local")
        return self

    @property
    def model(self) -> ModelSpec:
        return ModelSpec(synergy=self.synergy, effect_waves=self.effect_waves)

    @property
    def local(self) -> LocalTraining:
        """The silos' part; zeros in the settings mean the strategy's own default."""
        if self.strategy is Strategy.FEDADAM:
            return LocalTraining(
                optimizer=LocalOptimizer.SGD,
                steps=self.local_steps or 1,
                learning_rate=self.local_learning_rate or 0.002,
            )
        proximal = self.proximal if self.strategy is Strategy.FEDPROX else 0.0
        return LocalTraining(
            optimizer=LocalOptimizer.ADAM,
            steps=self.local_steps or 5,
            learning_rate=self.local_learning_rate or 0.02,
            proximal=proximal,
        )

    @property
    def step_size(self) -> float:
        """The coordinator's learning rate."""
        if self.strategy is not Strategy.FEDADAM:
            return self.server_learning_rate or 1.0
        return self.server_learning_rate or (0.15 if self.private else 0.08)

    @property
    def private(self) -> bool:
        return self.privacy is not PrivacyMode.NONE

    @property
    def planned_rounds(self) -> int:
        """Noise makes late rounds worth less than fewer, less noisy ones."""
        return self.rounds or (80 if self.private else 150)

    @property
    def averaged_share(self) -> float:
        """Share of the last iterates whose mean is the model."""
        return self.average_last_share or (0.4 if self.private else 0.25)

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
