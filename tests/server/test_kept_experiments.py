"""A run goes on with the experiments it began with, or says whose came or went."""

import json
from pathlib import Path

import pytest

from server.errors import ExperimentsChanged, RunStoreError
from server.kept_experiments import EXPERIMENTING, note_experiments, require_same_experiments

SILOS = ("north", "south", "west")


@pytest.mark.parametrize("experimenting", [(), ("north",), SILOS])
def test_the_same_experiments_are_in_order(tmp_path: Path, experimenting: tuple[str, ...]) -> None:
    note_experiments(tmp_path, experimenting)
    require_same_experiments(tmp_path, experimenting, SILOS)
    assert json.loads((tmp_path / EXPERIMENTING).read_text(encoding="utf-8")) == list(experimenting)


def test_a_run_that_did_not_begin_may_begin_with_any(tmp_path: Path) -> None:
    require_same_experiments(tmp_path, ("north",), SILOS)
    assert not list(tmp_path.iterdir())  # asking holds the run to nothing yet


def test_what_was_noted_first_stays(tmp_path: Path) -> None:
    note_experiments(tmp_path, ("south", "north"))
    note_experiments(tmp_path, ())
    assert json.loads((tmp_path / EXPERIMENTING).read_text(encoding="utf-8")) == ["north", "south"]


def test_experiments_that_came_are_told_with_both_ways_on(tmp_path: Path) -> None:
    note_experiments(tmp_path, ("north",))

    with pytest.raises(ExperimentsChanged) as changed:
        require_same_experiments(tmp_path, ("north", "west"), SILOS)

    assert isinstance(changed.value, RunStoreError)
    assert str(changed.value) == (
        "west has experiments now, and the run was begun without; "
        "nothing was asked of any silo, and nothing of the run is lost"
    )
    assert changed.value.hint == "remove `lifts` from the silo file of west, and resume; or start a new run"


def test_experiments_that_went_are_told_also_where_others_still_have_some(tmp_path: Path) -> None:
    note_experiments(tmp_path, ("north", "south"))

    with pytest.raises(ExperimentsChanged) as changed:
        require_same_experiments(tmp_path, ("north",), SILOS)

    assert str(changed.value).startswith(
        "south has no experiments now, and the run was begun with its experiments; nothing was asked"
    )
    assert changed.value.hint == "restore `lifts` in the silo file of south, and resume; or start a new run"


def test_each_change_has_its_own_words(tmp_path: Path) -> None:
    note_experiments(tmp_path, ("north", "south"))

    with pytest.raises(ExperimentsChanged) as changed:
        require_same_experiments(tmp_path, ("west",), ("north", "west"))

    assert str(changed.value).startswith(
        "west has experiments now, and the run was begun without; "
        "north has no experiments now, and the run was begun with its experiments; "
        "south did not come, and the run was begun with its experiments; "
    )
    assert changed.value.hint == (
        "remove `lifts` from the silo file of west, restore `lifts` in the silo file of north, bring south back, "
        "and resume; or start a new run"
    )


@pytest.mark.parametrize("content", ["", "{", "3", "[1]", '{"silo-1": true}'])
def test_a_damaged_note_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / EXPERIMENTING).write_text(content, encoding="utf-8")

    with pytest.raises(
        RunStoreError, match=r"experimenting\.json is damaged; the run was not resumed"
    ) as refused:
        require_same_experiments(tmp_path, ("silo-1",), ("silo-1",))
    assert "new run" in refused.value.hint
