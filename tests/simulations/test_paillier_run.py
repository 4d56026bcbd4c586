"""Whole runs with encrypted sums: resumed, with noise, and with a private key that stays elsewhere.

That they find what masked runs find is told by the transcript in tests/mixroom/test_key_holder_commands.py.
"""

import gc
import json
from pathlib import Path

import pytest

from clients.key_holder import end_holder
from privacy.paillier.keys import HolderKey
from simulations.federation import train_in_process
from tests.key_holder_files import SHORTER_KEY, with_key_holder
from tests.simulations.test_federation import Interrupted, interrupt_after
from tests.small_federation import add_rules, barely_private, final_parameters, settings_for

Files = tuple[Path, ...]


@pytest.mark.slow
def test_an_interrupted_run_resumes_to_the_same_model(silo_files: Files, tmp_path: Path) -> None:
    """The first sums are asked for again, and the key holder, in a new process, gives its first answers."""
    with_key_holder(silo_files)
    whole = settings_for(tmp_path / "whole", rounds=3, **SHORTER_KEY)
    broken = settings_for(tmp_path / "broken", rounds=3, **SHORTER_KEY)
    train_in_process(silo_files, whole)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupted):
            train_in_process(silo_files, broken)

    train_in_process(silo_files, broken.model_copy(update={"resume": True}))

    assert final_parameters(broken) == final_parameters(whole)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["local", "distributed"])
def test_noise_and_encryption_go_together(generous_silo_files: Files, tmp_path: Path, mode: str) -> None:
    """With shared noise the key holder opens no sum of fewer silos than carry it."""
    with_key_holder(generous_silo_files)
    settings = settings_for(tmp_path / "run", rounds=2, **barely_private(privacy=mode, **SHORTER_KEY))

    directory = train_in_process(generous_silo_files, settings)

    box = json.loads((directory / "privacy.json").read_text(encoding="utf-8"))
    assert box["mode"] == mode
    assert box["secure_aggregation"].startswith(
        "Paillier encryption; coordinator and key holder see sums only"
    )


@pytest.mark.slow
def test_the_process_of_coordinator_and_silos_never_holds_the_private_key(
    silo_files: Files, tmp_path: Path
) -> None:
    """The key holder's process makes the key itself here; no object of this one has its primes."""
    for path in silo_files:
        add_rules(path, min_modulus_bits=2048)
    train_in_process(silo_files, settings_for(tmp_path / "run", rounds=1, **SHORTER_KEY))
    stored = HolderKey.load(silo_files[0].parent / ".mixroom" / "key-holder" / "paillier-key.json")
    modulus = stored.modulus
    del stored

    keys = [found for found in gc.get_objects() if type(found) is HolderKey]

    assert [key for key in keys if key.modulus == modulus] == []


def test_ending_a_key_holder_that_does_not_run_is_no_error(tmp_path: Path) -> None:
    end_holder(tmp_path)
