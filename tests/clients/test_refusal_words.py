"""A refusal tells the coordinator what is wrong, and nothing of the silo's disk or database."""

from pathlib import Path

import numpy as np
import pytest

from clients.errors import TermsRefused
from clients.refusal_words import refusal_words
from mmm_models.errors import ModelError, PanelInvalid, SourceUnreadable, SpecInvalid
from mmm_models.panel_io import load_panel
from privacy.accountant import GaussianEvent
from privacy.errors import (
    IdentityUnusable,
    LedgerDamaged,
    LedgerRolledBack,
    LedgerUnwritable,
    PrivacyError,
    ValueOutOfRange,
)
from privacy.identity import SiloIdentity
from privacy.quantization import FixedPoint
from tests.clients.silo_visits import visit
from tests.small_federation import add_rules, data_file

Files = tuple[Path, ...]


def test_other_words_stay_as_they_are(silo_files: Files) -> None:
    error = TermsRefused("north wants masks; nothing/was charged", hint="run with masks")

    assert refusal_words(error, silo_files[0]) == (
        "TermsRefused: north wants masks; nothing/was charged\nrun with masks"
    )


def test_bad_data_are_refused_by_the_silo_files_name_alone(silo_files: Files, tmp_path: Path) -> None:
    table = data_file(silo_files[0])
    table.write_text(table.read_text(encoding="utf-8").replace("tv_spend", "tv_cost"), encoding="utf-8")
    with pytest.raises(PanelInvalid) as refused:
        load_panel(silo_files[0])

    words = refusal_words(refused.value, silo_files[0])

    assert words.startswith("PanelInvalid: silo-1.toml: ")
    assert words.endswith("\nmixroom silo check silo-1.toml shows the rows")
    assert str(tmp_path) not in words


@pytest.mark.parametrize("problem", ["missing", "no toml"])
def test_a_bad_silo_file_is_refused_by_its_name_alone(
    silo_files: Files, tmp_path: Path, problem: str
) -> None:
    if problem == "missing":
        silo_files[0].unlink()
    else:
        silo_files[0].write_text("silo = north", encoding="utf-8")
    with pytest.raises(SpecInvalid) as refused:
        load_panel(silo_files[0])

    words = refusal_words(refused.value, silo_files[0])

    assert "silo-1.toml" in words
    assert str(tmp_path) not in words


def test_a_databases_own_words_stay_in_the_silo(silo_files: Files) -> None:
    error = SourceUnreadable(
        "postgresql://anna:***@db.internal/sales: no relation customers", code="database_error", hint="check"
    )

    words = refusal_words(error, silo_files[0])

    assert "database_error" in words
    assert not [secret for secret in ("anna", "db.internal", "customers") if secret in words]


def test_which_values_are_out_of_range_and_how_many_stays_in_the_silo(silo_files: Files) -> None:
    """Places in a report are weeks and channels."""
    with pytest.raises(ValueOutOfRange) as refused:
        FixedPoint(max_abs=4.0).quantize(np.array([1.0, 0.0, 7.5, 2.0, 9.0]))

    words = refusal_words(refused.value, silo_files[0])

    assert words == (
        "ValueOutOfRange: a value is not finite or exceeds the range asked for; nothing was sent\n"
        f"{refused.value.hint}"
    )


def test_a_relative_silo_file_and_a_state_elsewhere_are_not_told(
    silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rules(silo_files[0], state=str(tmp_path / "vault"), ledger_witness=str(tmp_path / "heads"))
    monkeypatch.chdir(silo_files[0].parent)
    home = visit(silo_files[0]).home
    said: list[PrivacyError | ModelError] = [
        IdentityUnusable(f"{home.directory / 'identity.pem'} may be read by others", hint="chmod it"),
        ModelError(f"{tmp_path / 'heads' / 'a.json'}: {home.directory}", hint=f"see {home.peers_path}"),
    ]

    for error in said:
        assert str(tmp_path) not in refusal_words(error, Path("silo-1.toml"))


def test_a_key_others_may_read_is_refused_without_its_place(silo_files: Files, tmp_path: Path) -> None:
    home = visit(silo_files[0]).home
    (home.directory / "identity.pem").chmod(0o644)
    with pytest.raises(IdentityUnusable) as refused:
        SiloIdentity.load("silo-1", home.directory / "identity.pem")

    words = refusal_words(refused.value, silo_files[0])

    assert "identity.pem may be read by other users" in words
    assert str(tmp_path) not in words


@pytest.mark.parametrize("kind", [LedgerDamaged, LedgerRolledBack, LedgerUnwritable])
def test_a_ledgers_errors_hold_no_path_to_begin_with(
    silo_files: Files, tmp_path: Path, kind: type[PrivacyError]
) -> None:
    home = visit(silo_files[0]).home
    home.ledger.charge("run", "training", [GaussianEvent(5.0)])
    ledger = home.directory / "ledger.jsonl"
    if kind is LedgerDamaged:
        ledger.write_bytes(b"nonsense\n")
    elif kind is LedgerRolledBack:
        ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    else:
        add_rules(silo_files[0], ledger_witness=str(silo_files[1] / "below a file"))
        home = visit(silo_files[0]).home

    with pytest.raises(kind) as refused:
        _ = home.ledger

    assert str(tmp_path) not in str(refused.value) + refused.value.hint
