"""`mixroom key-holder`, and training with one: transcripts."""

import base64
import json

import pytest

from privacy.identity import PinnedPeers, SiloIdentity


def test_a_key_holder_is_made_shown_and_told_whom_to_trust(terminal, tmp_path):
    home = tmp_path / "holder"

    made = terminal("key-holder", "create", home, "--bits", "2048", "--min-silos", "4")
    shown = terminal("key-holder", "key", home)
    as_json = json.loads(terminal("key-holder", "key", home, "--json").out)

    assert (made.out, made.code) == ("", 0)
    assert made.err.startswith(f"mixroom: a key of 2048 bits in {home}")
    assert shown.out == f'"key-holder" = "{as_json["public_key"]}"\n'
    assert as_json["fingerprint"] in shown.err
    assert json.loads((home / "paillier-key.json").read_text(encoding="utf-8"))["min_silos"] == 4

    north = SiloIdentity.generate("north").public_key
    pinned = terminal("key-holder", "pin", home, "north", base64.b64encode(north).decode())
    assert pinned.err == "mixroom: the key holder now trusts the key of north\n"
    assert PinnedPeers.load(home / "peers.toml").keys == {"north": north}


def test_a_key_holder_in_the_sandbox_is_used_by_the_same_commands(terminal, tmp_path):
    home = tmp_path / "holder"

    made = terminal("key-holder", "create", home, "--bits", "2048", "--enclave")
    shown = json.loads(terminal("key-holder", "key", home, "--json").out)
    north = base64.b64encode(SiloIdentity.generate("north").public_key).decode()
    pinned = terminal("key-holder", "pin", home, "north", north)

    assert (made.out, made.code) == ("", 0)
    assert pinned.err == "mixroom: the key holder now trusts the key of north\n"
    assert json.loads(terminal("key-holder", "key", home, "--json").out) == shown
    assert not (home / "paillier-key.json").exists()
    assert (home / "state" / "paillier-key.json.sealed").exists()


def test_a_second_key_in_one_directory_is_refused(terminal, tmp_path):
    terminal("key-holder", "create", tmp_path / "holder", "--bits", "2048")

    error, hint = terminal.refused("key-holder", "create", tmp_path / "holder", code=1)

    assert (error, hint) == ("there is a key holder already; nothing was changed", "choose a new directory")


def test_a_short_modulus_is_wrong_usage(terminal, tmp_path):
    error, _ = terminal.refused("key-holder", "create", tmp_path, "--bits", "1024", code=2)

    assert "1024 is not in the range x>=2048" in error


def test_what_is_no_key_is_not_pinned(terminal, tmp_path):
    terminal("key-holder", "create", tmp_path, "--bits", "2048")

    error, hint = terminal.refused("key-holder", "pin", tmp_path, "north", "not base64!", code=1)

    assert "is not base64; nothing was pinned" in error
    assert "mixroom silo key" in hint


def test_encrypted_sums_need_three_silos_too(terminal, silos, tmp_path):
    error, hint = terminal.refused(
        "train", *silos[:2], "--out", tmp_path / "run", "--secure-aggregation", "paillier", code=2
    )

    assert "--secure-aggregation paillier needs at least 3 silos" in error
    assert "--secure-aggregation none" in hint


@pytest.mark.slow
def test_training_with_encrypted_sums_finds_what_training_with_masks_finds(terminal, silos, tmp_path):
    """With 3072 bits, as usual; both tables, to the last digit."""
    seen = {
        how: terminal("train", *silos, "--out", tmp_path / how, "--rounds", "2", "--secure-aggregation", how)
        for how in ("masks", "paillier")
    }

    assert {transcript.code for transcript in seen.values()} == {0}
    assert seen["paillier"].out == seen["masks"].out
    stored = {how: (tmp_path / how / "results.json").read_bytes() for how in seen}
    assert stored["paillier"] == stored["masks"]
