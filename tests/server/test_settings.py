"""A run's settings: flat as Flower has them, complete in pyproject.toml, and refused by name when wrong."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mmm_models.federated_spec import LocalOptimizer
from privacy.run_terms import PrivacyMode
from server.errors import SettingsInvalid
from server.run_plan import privacy_terms
from server.settings import RunSettings, parse_settings

DEFAULTS = RunSettings().to_run_config()


def test_pyproject_gives_flower_every_setting_with_its_default(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))

    in_project = project["tool"]["flwr"]["app"]["config"]

    assert in_project == DEFAULTS
    assert {key: type(value) for key, value in in_project.items()} == {
        k: type(v) for k, v in DEFAULTS.items()
    }


def test_settings_survive_flowers_flat_form() -> None:
    settings = RunSettings(out="/runs/a b", rounds=7, privacy=PrivacyMode.LOCAL, epsilon=8.0, delta=1e-4)

    flat = settings.to_run_config()

    assert {type(value) for value in flat.values()} <= {int, float, bool, str}
    assert parse_settings(dict(flat)) == settings


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="learning-rat") as refused:
        parse_settings({**DEFAULTS, "learning-rat": 0.1})

    assert "docs/settings.md" in refused.value.hint


WRONG: tuple[dict[str, Any], ...] = (
    {"rounds": -1}, {"rounds": "many"}, {"epsilon": -1.0}, {"delta": 1.0}, {"clip-norm": 0.0}, {"clip-norm": -1.0},
    {"clip-quantile": 1.0}, {"strategy": "fedsgd"}, {"secure-aggregation": "some"}, {"on-failure": "ignore"},
    {"expected-silos": 0}, {"wait-seconds": 0.0}, {"average-last-share": 1.5}, {"effect-waves": 7},
    {"proximal": -0.1}, {"holdout-weeks": -1}, {"timeout-seconds": 0.0}, {"weeks": 0},
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_value_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match=next(iter(wrong))):
        parse_settings({**DEFAULTS, **wrong})


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid, match=r"rounds.*weeks"):
        parse_settings({**DEFAULTS, "rounds": -1, "weeks": 0})


@pytest.mark.parametrize("given", [{"epsilon": 8.0}, {"delta": 1e-4}, {}])
def test_privacy_needs_both_epsilon_and_delta(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="needs epsilon and delta"):
        parse_settings({**DEFAULTS, "privacy": "local", **given})


def test_an_epsilon_without_privacy_is_refused_rather_than_ignored() -> None:
    with pytest.raises(SettingsInvalid, match="only used with --privacy local"):
        parse_settings({**DEFAULTS, "epsilon": 8.0, "delta": 1e-4})


def test_fedadam_takes_one_plain_step_in_each_silo_by_default() -> None:
    local = RunSettings().local

    assert (local.optimizer, local.steps, local.proximal) == (LocalOptimizer.SGD, 1, 0.0)


@pytest.mark.parametrize("strategy, proximal", [("fedavg", 0.0), ("fedprox", 0.1)])
def test_other_strategies_take_several_adam_steps(strategy: str, proximal: float) -> None:
    settings = parse_settings({**DEFAULTS, "strategy": strategy})

    assert (settings.local.optimizer, settings.local.proximal) == (LocalOptimizer.ADAM, proximal)
    assert settings.local.steps > 1
    assert settings.step_size == 1.0


def test_own_numbers_replace_the_strategys_defaults() -> None:
    own = {"local-steps": 3, "local-learning-rate": 0.5, "server-learning-rate": 0.7}

    settings = parse_settings({**DEFAULTS, **own})

    assert (settings.local.steps, settings.local.learning_rate, settings.step_size) == (3, 0.5, 0.7)


@pytest.mark.parametrize("changes", [{}, {"rounds": 10}, {"rounds": 10, "local-steps": 3}])
def test_every_local_step_of_every_round_is_accounted_for(changes: dict[str, Any]) -> None:
    settings = parse_settings({**DEFAULTS, "privacy": "local", "epsilon": 8.0, "delta": 1e-4, **changes})

    assert privacy_terms(settings).steps == settings.planned_rounds * settings.local.steps > 0
