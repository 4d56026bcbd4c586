"""`mixroom lab papers`, start to end."""

import json
from pathlib import Path

import pytest

from tests.mixroom.terminal import Terminal

CLAIMS = 11


@pytest.mark.slow
def test_every_claim_is_tried_and_its_verdict_printed_and_stored(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal("lab", "papers", "--seeds", 1, "--training-records", 2000, "--out", tmp_path / "papers")

    assert ran.code == 0, ran.err
    stored = json.loads((tmp_path / "papers" / "papers.json").read_text(encoding="utf-8"))
    assert len({reading["claim"] for reading in stored["readings"]}) == CLAIMS
    judged = [reading for reading in stored["readings"] if reading["judged"]]
    assert {reading["reproduced"] for reading in judged} <= {"yes", "partly", "no"}
    by_claim = {reading["claim"]: reading for reading in judged}
    assert by_claim["federated-rmse"]["reproduced"] == "yes"
    assert by_claim["features"]["values"]
    assert len(ran.out.splitlines()) == 1 + len(stored["readings"])
    assert f"the page: {tmp_path / 'papers' / 'papers.md'}" in ran.err


def test_a_file_in_place_of_the_directory_is_refused_before_any_work(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")

    ran = terminal("lab", "papers", "--out", tmp_path / "taken")

    assert ran.code == 2
    assert ran.refusal[0] == f"--out {tmp_path / 'taken'} is a file"


def test_no_seed_at_all_is_wrong_usage(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal("lab", "papers", "--seeds", 0, "--out", tmp_path)

    assert ran.code == 2
    assert "--seeds" in ran.refusal[0]
