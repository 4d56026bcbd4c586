"""docs/settings.md, made from the settings themselves: `python -m tests.settings_page` writes it.

Names, defaults and ranges come from the code; what they mean is said here (and, for silo files, in
docs/data-format.md). A setting without a meaning stops the making.
"""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmm_models.spec import BaselineSpec, ModelSpec, PoolingSpec, ResponsePrior, TrainingSpec
from server.settings import RunSettings

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "settings.md"

RUN = {
    "out": "run directory to write",
    "run-id": "name of the run in every message; drawn at random when empty",
    "resume": "continue the run in `out`; everything that decides its numbers must be as it was",
    "silos": "silo files of a simulation on Ray, one a line; real silos name their own (docs/deployment.md)",
    "expected-silos": "silos to wait for before anything starts; `mixroom train` counts its files",
    "wait-seconds": "how long to wait for them",
    "timeout-seconds": "how long to wait for a silo's answer",
    "on-failure": "a silo that fails a sum is left out of it (`exclude`), or stops the run (`abort`)",
    "strategy": "`newton`: a Newton step a round, with curvature summed over silos as well; `fedadam`: one step of "
    "full-batch Adam on the union of all silos a round; `fedavg`: local steps, averaged; `fedprox`: the same, held "
    "back to the round's start; `auto`: `newton`, but `fedadam` with local steps or a robust rule",
    "rounds": "training rounds; 0: `newton` 12, or 25 with noise; others 150, or 80 with noise",
    "local-steps": "steps in each silo per round; 0: 1 for `newton` and `fedadam`, 5 for the others",
    "server-learning-rate": "the coordinator's step; 0: 0.7 for `newton` (0.5 with noise), 0.08 for `fedadam` "
    "(0.15 with noise), 1 for the others",
    "local-learning-rate": "the silos' step; 0: 0.002 for `fedadam`, 0.02 for `fedavg` and `fedprox`",
    "proximal": "pull towards the round's start; `fedprox` only",
    "average-last-share": "the model is the mean of this share of the last rounds; 0: 0.25, or with noise 0.6 for "
    "`newton` and 0.4 for the others",
    "holdout-weeks": "last weeks kept for measuring fit; a quarter of a panel at most",
    "weeks": "length of a typical panel; balances the columns of private totals, nothing else",
    "seed": "recorded with the run; training itself draws nothing at random, and noise must not be repeatable",
    "synergy": "let each pair of channels reinforce each other",
    "effect-waves": "slow waves of each channel's effect over the panel",
    "privacy": "`none`; `distributed`: the silos of a secure sum share the noise, which then is as small as a trusted "
    "curator's; `local`: each silo adds all of it before anything leaves it",
    "epsilon": "privacy loss per unit over the whole run, report included",
    "delta": "chance that epsilon does not hold; well below one over the number of units",
    "clip-norm": "first bound on one unit's gradient, then it follows `clip-quantile`, privately; 0: 5, or for "
    "`newton` 0.8 times the square root of the number of parameters",
    "clip-quantile": "share of units whose gradients stay unclipped",
    "sample-rate": "chance of each unit to take part in one private step, drawn in secret by its silo; 1: all units, "
    "all steps, which is the most accurate",
    "tolerated-dropouts": "silos that may be missing from a sum with distributed noise; more of them need more noise",
    "colluding": "silos that may pool what they know with the coordinator before distributed noise becomes too little; "
    "1 protects from every single silo, since each knows its own share of the noise",
    "secure-aggregation": "`masks`: the coordinator sees sums only; `paillier`: the same, by encryption and with a key "
    "holder apart; `none`: it sees each silo's vector",
    "enclave": "add up in the sandbox, which every silo checks before it sends: sums only come out, whatever "
    "`secure-aggregation` says; masks come off inside (docs/enclave.md says what an emulation cannot)",
    "enclave-isolation": "`reduced`: without bubblewrap, for silos whose files accept that; `none` is refused",
    "enclave-home": "directory of the emulated root that silos pin (`mixroom enclave root`); empty: `enclave` in "
    "Mixroom's folder of the user's state directory, or for `mixroom train` `.mixroom/enclave` beside the first "
    "silo file",
    "paillier-bits": "length of the key holder's modulus, at least; `mixroom train` makes it one of this length",
    "update-norm-bound": "longest step a silo may ask for: L2 length of its mean gradient (of its Adam steps in "
    "learning rates); longer ones are shortened in the silo, before masks; 0: no bound; not used with noise, which "
    "clips each unit",
    "max-units-per-silo": "units a silo counts for at most; 0: no limit; the largest honest silo is a good choice",
    "robust-rule": "what replaces the mean of silos' changes, Flower's own rules; needs `secure-aggregation` `none`",
    "suspected-silos": "liars a robust rule must stand; `median` and `trimmed-mean` need twice as many silos and one, "
    "`krum` and `multi-krum` twice and three, `bulyan` four times and three",
}
MODEL = {
    "max_lag_weeks": "weeks over which carry-over reaches",
    "synergy": "let each pair of channels reinforce each other",
    "reach_frequency": "a response of frequency where reach and frequency are known; pooled fits set it themselves",
    "effect_waves": "slow waves of each channel's effect over the panel",
    "warm_up_weeks": "first weeks that training ignores, because media before them are unknown",
}
BASELINE = {
    "intercept_sd": "level; wide, because the level is whatever media do not explain",
    "trend_sd_per_year": "straight trend, a year",
    "season_pairs": "pairs of sine and cosine waves a year",
    "season_sd": "height of the first pair; later ones are narrower",
    "control_sd": "effect of one standard deviation of a control",
    "drift_sd": "slow drift of the level; 0 switches it off",
    "drift_weeks": "how slow",
    "same_week_media_sd": "pooled fits of a single unit: what else may have moved sales in the same week as a paid "
    "channel's media, per standard deviation of them, in one of two readings; 0: all in common is the media's",
}
PRIOR = {
    "log_roi_mean": "mean log ROI of all paid channels",
    "log_roi_mean_sd": "how far that common mean may lie from it",
    "log_roi_sd": "how far a channel may lie from the common mean",
    "log_effect_mean": "log effect at typical media as a share of a unit's mean outcome; without comparable spend",
    "log_effect_sd": "how far it may lie from that",
    "log_half_saturation_mean": "log of the media at which half of the ceiling is reached, in typical weeks",
    "log_half_saturation_sd": "how far it may lie from that",
    "log_slope_mean": "log slope of the saturation curve",
    "log_slope_sd": "how far it may lie from that",
    "decay_logit_mean": "logit of the share of media that carries over to the next week",
    "decay_logit_sd": "how far it may lie from that",
    "delay_mean": "delay of the peak, before softplus",
    "delay_sd": "how far it may lie from that",
    "log_half_frequency_mean": "log of the contacts at which half of the ceiling is reached, in multiples of three",
    "log_half_frequency_sd": "how far it may lie from that",
    "log_slope_frequency_mean": "log slope of the curve of contacts",
    "log_slope_frequency_sd": "how far it may lie from that",
    "synergy_sd": "mean of a synergy's exponential prior",
    "wave_sd": "height of an effect's waves",
    "units_per_prior": "the prior weighs as much as one unit in so many",
}
POOLING = {
    "unit_effect_sd": "how far a unit's effect of a channel may lie from the shared one, as a logarithm",
    "unit_shape_sd": "the same of its half-saturation and of its decay's logit",
    "silo_effect_sd": "how far a silo's own effect of a channel is from the shared one; it estimates it for itself",
    "silo_shape_sd": "the same of its half-saturation and decay",
}
TRAINING = {
    "steps": "steps of Adam",
    "learning_rate": "first step size",
    "final_learning_rate_share": "last step size as a share of the first",
    "average_last_share": "the model is the mean of this share of the last steps",
}

HEADER = """# Settings

Made from the code by `python -m tests.settings_page`; a test compares. Silo files are described at length in
[data-format.md](data-format.md), scenarios in [worlds.md](worlds.md).

## A federated run

`mixroom train` has flags for the most used ones (`--rounds 80`), and `--set clip-norm=2` for all others.
`flwr run` takes them as run configuration: `flwr run . --run-config 'rounds=80 strategy="fedavg"'`. Every run
stores them in its `run.json`. Unknown settings are refused.
"""
MIDDLE = """
## The model

`ModelSpec` in Python; [model.md](model.md) explains the parts. `synergy` and `effect_waves` have flags.
"""
SILO = """
## A silo file

Defaults and meanings as in [data-format.md](data-format.md).
"""
COMMANDS = """
## Environment

| variable | meaning |
|---|---|
| `MIXROOM_TRACEBACK` | `1` shows where an error comes from |
| `MIXROOM_ROOM_HOME` | the home of the party that `mixroom room ...` acts for, where `--home` names none |
| `MIXROOM_ROOM_DATABASE` | PostgreSQL's URL of `mixroom room serve`, so that its password is on no command line |
| `XDG_STATE_HOME` | where silos note how far ledgers have come and enclaves keep roots; `~/.local/state` when empty |
| the one named by `data.url_env` | a database's URL, so that a silo file holds no secret |
"""


def page() -> str:
    """The whole page."""
    parts = [HEADER, _table(RunSettings, RUN, aliased=True), MIDDLE, _table(ModelSpec, MODEL)]
    parts += ["\nOf `ModelSpec.baseline`, standard deviations in multiples of a unit's mean outcome:\n"]
    parts += [_table(BaselineSpec, BASELINE, prefix="baseline.")]
    parts += ["\nOf `ModelSpec.prior`:\n", _table(ResponsePrior, PRIOR, prefix="prior.")]
    parts += ["\nOf `ModelSpec.pooling`:\n", _table(PoolingSpec, POOLING, prefix="pooling.")]
    parts += ["\n## Training on pooled data\n\n`TrainingSpec`; `mixroom fit --steps` sets the first.\n"]
    parts += [_table(TrainingSpec, TRAINING), SILO, _silo_table(), COMMANDS]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _table(
    spec: type[BaseModel], meanings: dict[str, str], *, prefix: str = "", aliased: bool = False
) -> str:
    fields = {
        (info.alias or name) if aliased else name: info
        for name, info in spec.model_fields.items()
        if not isinstance(info.default, BaseModel)
    }
    if fields.keys() != meanings.keys():
        raise ValueError(f"{spec.__name__}: meanings and fields differ in {fields.keys() ^ meanings.keys()}")
    rows = [
        f"| `{prefix}{name}` | `{_plain(info.default)}` | {_range(info)} | {meanings[name]} |"
        for name, info in fields.items()
    ]
    return "\n".join(["| setting | default | range | meaning |", "|---|---|---|---|", *rows])


def _silo_table() -> str:
    """The rows of data-format.md's setting tables, in one."""
    text = (REPOSITORY / "docs" / "data-format.md").read_text(encoding="utf-8")
    settings = text.split("\n## Settings\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `.*\|$", settings, flags=re.MULTILINE)
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _range(info: FieldInfo) -> str:
    kind = info.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{item.value}`" for item in kind)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{signs[name]} {getattr(item, name):g}"
        for item in info.metadata
        for name in signs
        if hasattr(item, name)
    ]
    if bounds:
        return ", ".join(bounds)
    return (
        "`true`, `false`"
        if kind is bool
        else "text"
        if kind is str
        else "whole number"
        if kind is int
        else "number"
    )


def _plain(value: Any) -> Any:
    value = value.value if isinstance(value, Enum) else value
    return str(value).lower() if isinstance(value, bool) else '""' if value == "" else value


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
