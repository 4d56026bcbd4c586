"""A run's settings: flat as Flower has them, complete in pyproject.toml, and refused by name when wrong."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mmm_models.federated_spec import ChannelDeclaration, FederatedModel, LocalOptimizer
from mmm_models.panel import ChannelKind
from mmm_models.scaling import MediaPer
from privacy.run_terms import PrivacyMode
from server.errors import SettingsInvalid
from server.run_plan import privacy_terms
from server.settings import RunSettings, Strategy, parse_settings

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
    {"rounds": -1}, {"rounds": "many"}, {"epsilon": -1.0}, {"delta": 1.0}, {"clip-norm": -1.0},
    {"sample-rate": 0.0}, {"sample-rate": 1.5},
    {"clip-quantile": 1.0}, {"strategy": "fedsgd"}, {"secure-aggregation": "some"}, {"on-failure": "ignore"},
    {"expected-silos": 0}, {"wait-seconds": 0.0}, {"average-last-share": 1.5}, {"effect-waves": 7},
    {"proximal": -0.1}, {"holdout-weeks": -1}, {"timeout-seconds": 0.0}, {"weeks": 0}, {"colluding": -1},
    {"tolerated-dropouts": -1}, {"privacy": "central"},
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_value_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match=next(iter(wrong))):
        parse_settings({**DEFAULTS, **wrong})


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsInvalid, match=r"rounds.*weeks"):
        parse_settings({**DEFAULTS, "rounds": -1, "weeks": 0})


@pytest.mark.parametrize("mode", ["local", "distributed"])
@pytest.mark.parametrize("given", [{"epsilon": 8.0}, {"delta": 1e-4}, {}])
def test_privacy_needs_both_epsilon_and_delta(mode: str, given: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="needs epsilon and delta"):
        parse_settings({**DEFAULTS, "privacy": mode, **given})


def test_an_epsilon_without_privacy_is_refused_rather_than_ignored() -> None:
    with pytest.raises(SettingsInvalid, match="only used with --privacy local"):
        parse_settings({**DEFAULTS, "epsilon": 8.0, "delta": 1e-4})


def test_fedadam_takes_one_plain_step_in_each_silo_by_default() -> None:
    local = RunSettings(strategy=Strategy.FEDADAM).local

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


def private_settings(mode: str = "distributed", **changes: Any) -> RunSettings:
    flat = {name.replace("_", "-"): value for name, value in changes.items()}
    return parse_settings({**DEFAULTS, "privacy": mode, "epsilon": 8.0, "delta": 1e-4, **flat})


MODEL = FederatedModel(
    channels=(ChannelDeclaration(name="tv", kind=ChannelKind.PAID),),
    media_per=MediaPer.POPULATION,
    weeks=104,
    holdout_weeks=24,
)


@pytest.mark.parametrize(
    "changes", [{}, {"rounds": 10}, {"rounds": 10, "local_steps": 3, "strategy": "fedavg"}]
)
def test_every_local_step_of_every_round_is_accounted_for(changes: dict[str, Any]) -> None:
    settings = private_settings("local", **changes)

    steps = privacy_terms(settings, MODEL, silos=4).steps

    assert steps == settings.planned_rounds * settings.local.steps > 0


@pytest.mark.parametrize("strategy, curvatures", [("fedadam", 0), ("newton", 3)])
@pytest.mark.parametrize("mode", ["local", "distributed"])
def test_curvature_is_accounted_for_where_it_is_asked_for(mode: str, strategy: str, curvatures: int) -> None:
    settings = private_settings(mode, strategy=strategy)

    assert privacy_terms(settings, MODEL, silos=4).curvatures == curvatures


class TestSharedNoise:
    def test_needs_a_secure_sum(self) -> None:
        """A silo's share alone protects little; in clear the coordinator would see it."""
        with pytest.raises(SettingsInvalid, match="hides each silo's share of the noise in a secure sum"):
            private_settings(secure_aggregation="none")

    @pytest.mark.parametrize("changes", [{"strategy": "fedavg"}, {"strategy": "fedprox"}, {"local_steps": 2}])
    def test_needs_one_gradient_sum_a_round(self, changes: dict[str, Any]) -> None:
        """A local step would need the noise of all silos in each of them."""
        with pytest.raises(SettingsInvalid, match="needs one gradient sum a round"):
            private_settings(**changes)

    @pytest.mark.parametrize("strategy", ["auto", "newton", "fedadam"])
    def test_silos_only_add_up_whichever_strategy_steps(self, strategy: str) -> None:
        assert private_settings(strategy=strategy).local.optimizer is LocalOptimizer.NONE

    def test_does_not_bound_silos_sums_where_each_unit_is_bounded(self) -> None:
        assert private_settings(update_norm_bound=1.0).local.update_norm_bound == 0.0


@pytest.mark.parametrize(
    "changes, strategy",
    [
        ({}, "newton"),
        ({"privacy": "local"}, "newton"),
        ({"privacy": "distributed"}, "newton"),
        ({"local-steps": 3}, "fedadam"),
        ({"robust-rule": "median", "secure-aggregation": "none"}, "fedadam"),
    ],
)
def test_auto_is_newtons_method_where_silos_only_add_up(changes: dict[str, Any], strategy: str) -> None:
    budget = {"epsilon": 8.0, "delta": 1e-4} if "privacy" in changes else {}

    assert parse_settings({**DEFAULTS, **budget, **changes}).chosen_strategy.value == strategy


@pytest.mark.parametrize("mode", ["local", "distributed"])
def test_newtons_method_needs_a_fraction_of_the_rounds(mode: str) -> None:
    newton, fedadam = (private_settings(mode, strategy=each) for each in ("newton", "fedadam"))

    assert (newton.curvatures, fedadam.curvatures) == (3, 0)
    assert newton.planned_rounds <= fedadam.planned_rounds / 2


def test_sampling_is_for_noise_only() -> None:
    with pytest.raises(SettingsInvalid, match="sample-rate is only used with noise"):
        parse_settings({**DEFAULTS, "sample-rate": 0.5})

    assert private_settings(sample_rate=0.5).sample_rate == 0.5


def test_newtons_gradients_are_not_for_robust_rules() -> None:
    with pytest.raises(SettingsInvalid, match="robust-rule"):
        parse_settings(
            {**DEFAULTS, "strategy": "newton", "robust-rule": "median", "secure-aggregation": "none"}
        )


@pytest.mark.parametrize("how, nodes", [("masks", 5), ("none", 5), ("paillier", 6)])
def test_a_key_holder_is_one_node_more(how: str, nodes: int) -> None:
    assert (
        parse_settings({**DEFAULTS, "expected-silos": 5, "secure-aggregation": how}).expected_nodes == nodes
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"secure-aggregation": "paillier"}, "holds nothing that an enclave could hide"),
        ({"secure-aggregation": "none", "robust-rule": "median"}, "which an enclave hides"),
        ({"enclave-isolation": "none"}, "silos refuse it"),
    ],
)
def test_what_does_not_go_with_an_enclave_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        parse_settings({**DEFAULTS, "enclave": True, **wrong})


def test_the_root_of_enclaves_is_kept_in_the_users_state_directory_unless_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert RunSettings().enclave_directory == tmp_path / "mixroom" / "enclave"
    assert RunSettings(enclave_home="/srv/enclave").enclave_directory == Path("/srv/enclave")
