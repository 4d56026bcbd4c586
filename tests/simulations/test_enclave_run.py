"""Whole runs whose sums are added up in the real sandbox."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from privacy.attested_sums.sum_enclave_program import own_measurement
from privacy.attested_sums.sum_terms import SumTerms
from privacy.enclave.attestation_verifier import AttestationPolicy, verify_kept_attestation
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest
from server.enclave_sums import EnclaveSums
from server.errors import SumLost
from server.settings import RunSettings
from simulations.federation import train_in_process
from tests.simulations.test_federation import Interrupted, interrupt_after
from tests.small_federation import (
    BARELY_PRIVATE,
    barely_private,
    final_parameters,
    settings_for,
    sharing_noise,
)

Files = tuple[Path, ...]


def enclosed(out: Path, **changes: Any) -> RunSettings:
    return settings_for(out, enclave=True, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("secure_aggregation", ["none", "masks"])
def test_a_run_in_the_sandbox_ends_in_the_same_model_to_the_last_bit(
    silo_files: Files, tmp_path: Path, secure_aggregation: str
) -> None:
    outside = settings_for(tmp_path / "outside", secure_aggregation=secure_aggregation)
    inside = enclosed(tmp_path / "inside", secure_aggregation=secure_aggregation)

    train_in_process(silo_files, outside)
    train_in_process(silo_files, inside)

    assert final_parameters(inside) == final_parameters(outside)
    found, expected = (
        (settings.directory / "contributions.csv").read_bytes() for settings in (inside, outside)
    )
    assert found == expected
    left = json.loads((inside.directory / "privacy.json").read_text(encoding="utf-8"))["left_silo"][0]
    assert left.startswith("Only sums") is (secure_aggregation == "masks")
    assert ("sealed to an emulated enclave" in left) is (secure_aggregation == "none")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [barely_private, sharing_noise])
def test_noise_and_an_enclave_go_together(generous_silo_files: Files, tmp_path: Path, kind: Any) -> None:
    directory = train_in_process(generous_silo_files, enclosed(tmp_path / "run", **kind(rounds=3)))

    box = json.loads((directory / "privacy.json").read_text(encoding="utf-8"))
    assert box["mode"] == kind()["privacy"]
    assert box["epsilon"] == pytest.approx(BARELY_PRIVATE, rel=1e-6)
    assert box["secure_aggregation"].startswith("pairwise masks, taken off in an emulated enclave")


def test_a_run_states_what_its_enclave_was_and_keeps_what_proves_it(
    silo_files: Files, tmp_path: Path
) -> None:
    directory = train_in_process(silo_files, enclosed(tmp_path / "run", rounds=1))

    measured = own_measurement(Isolation.FULL)
    root = EmulatedPlatform.open(silo_files[0].parent / ".mixroom" / "enclave").root
    box = json.loads((directory / "privacy.json").read_text(encoding="utf-8"))
    kept = json.loads((directory / "attestations" / "0001.json").read_text(encoding="utf-8"))
    assert box["secure_aggregation"].startswith(
        "pairwise masks, taken off in an emulated enclave that every silo"
    )
    assert measured[:16] in box["secure_aggregation"]
    assert any("hold its root and can attest anything" in line for line in box["not_covered"])
    proved = verify_kept_attestation(
        base64.b64decode(kept["document"]), AttestationPolicy((root,), frozenset())
    )
    assert proved.measurement.code == measured
    assert proved.user_data == terms_of(kept["terms"]).digest


def terms_of(plain: dict[str, Any]) -> SumTerms:
    """As whoever audits the run reads them."""
    columns = {name: tuple(map(bytes.fromhex, plain[name])) for name in ("public_keys", "nonces")}
    digests = {name: bytes.fromhex(plain[name]) for name in ("invitation", "roster_digest")}
    return SumTerms(**{**plain, **columns, **digests, "silos": tuple(plain["silos"])})


@pytest.mark.slow
def test_an_interrupted_run_goes_on_in_a_new_enclave(silo_files: Files, tmp_path: Path) -> None:
    """Sums that were opened are on the coordinator's disk; the next ones are the same as ever."""
    whole, broken = enclosed(tmp_path / "whole", rounds=3), enclosed(tmp_path / "broken", rounds=3)
    train_in_process(silo_files, whole)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupted):
            train_in_process(silo_files, broken)

    train_in_process(silo_files, broken.model_copy(update={"resume": True}))

    assert final_parameters(broken) == final_parameters(whole)
    assert len(list((tmp_path / "broken" / "attestations").iterdir())) == 2


def killed_in(patch: pytest.MonkeyPatch, purpose: Purpose, *, times: int = 1) -> None:
    """The first enclaves that are asked for such a sum die when the silos have answered."""
    left, collect = [None] * times, EnclaveSums.collect

    def die_first(self: EnclaveSums, request: SumRequest, *rest: Any) -> Any:
        if request.purpose == purpose and left:
            left.pop()
            assert self.host._enclave is not None
            self.host._enclave.close()
        return collect(self, request, *rest)

    patch.setattr(EnclaveSums, "collect", die_first)


@pytest.mark.slow
def test_a_round_and_a_report_in_enclaves_that_die_cost_no_more_than_themselves(
    silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in(monkeypatch, Purpose.ROUND)
    killed_in(monkeypatch, Purpose.REPORT)
    directory = train_in_process(silo_files, enclosed(tmp_path / "run", rounds=3))

    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["purpose"] for e in events if e["event"] == "sum_lost"] == ["round", "report"]
    assert len([e for e in events if e["event"] == "attested"]) == 3
    assert (directory / "report.html").exists()


def test_lost_scales_end_the_run_in_plain_words(
    silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in(monkeypatch, Purpose.SCALES)

    with pytest.raises(SumLost, match="the scales sum was asked for before and lost") as lost:
        train_in_process(silo_files, enclosed(tmp_path / "run", rounds=1))

    assert "start a new run" in lost.value.hint


def test_a_kept_root_is_used_again(silo_files: Files, tmp_path: Path) -> None:
    """Else every run would need every owner to pin again."""
    kept: list[bytes] = []
    for name in ("one", "two"):
        train_in_process(silo_files, enclosed(tmp_path / name, rounds=1, enclave_home=str(tmp_path / "home")))
        kept.append(EmulatedPlatform.open(tmp_path / "home").root)

    assert kept[0] == kept[1]
