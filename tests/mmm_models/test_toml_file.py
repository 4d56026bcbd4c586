"""Every file that cannot be read says which kind it is, where it is, and what to do."""

from pathlib import Path

import pytest

from mmm_models.experiments.lift_errors import LiftFileInvalid
from mmm_models.intake.toml_file import read_toml

SHOWN = "docs/experiments.md shows every kind of entry"


def read(path: Path) -> dict[str, object]:
    return read_toml(path, LiftFileInvalid, what="lift file", hint=SHOWN)


def test_tables_come_as_they_stand_after_a_byte_order_mark_too(tmp_path: Path) -> None:
    path = tmp_path / "lifts.toml"
    path.write_text("[a]\nb = 1\n", encoding="utf-8-sig")

    assert read(path) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("content", "told", "hint"),
    [
        (None, "lift file {} does not exist", "check the path"),
        (b"\xff\xfe\x00", "lift file {} is not a UTF-8 text file", "save it as UTF-8"),
        (b"[[lift]", "{} is not valid TOML: ", SHOWN),
    ],
    ids=["missing", "no text", "no TOML"],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes | None, told: str, hint: str
) -> None:
    path = tmp_path / "lifts.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(LiftFileInvalid) as refused:
        read(path)

    assert str(refused.value).startswith(told.format(path))
    assert refused.value.hint == hint


def test_a_folder_is_refused_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(LiftFileInvalid, match=rf"lift file {tmp_path} cannot be read: Is a directory"):
        read(tmp_path)
