"""Sealed files on the untrusted side: bounds that an enclave cannot stretch, and no mixture after a crash."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from privacy.errors import HolderUnusable
from privacy.paillier import kept_files
from privacy.paillier.kept_files import PAGE_BYTES, PENDING, KeptFiles, write_whole
from privacy.paillier.state_files import INDEX, StateFile

SESSION, SUM = f"runs/{'0' * 16}/session", f"runs/{'0' * 16}/sum-0000000001.json"
MOST = 4 * PAGE_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def kept(folder: Path) -> Iterator[KeptFiles]:
    files = KeptFiles(folder, most_bytes=MOST)
    yield files
    files.close()


def on_disk(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_files_are_what_was_kept_last(kept: KeptFiles, folder: Path) -> None:
    kept.keep((StateFile(SESSION, b"one"), StateFile(INDEX, b"index one")))
    kept.keep((StateFile(SUM, b"sum"), StateFile(SESSION, b"two"), StateFile(INDEX, b"index two")))
    kept.close()

    with closing(KeptFiles(folder, most_bytes=MOST)) as again:
        assert again.names == (SESSION, SUM)
        assert (again.read(SESSION), again.index) == (StateFile(SESSION, b"two"), b"index two")
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*") if path.is_file()} == {0}


NAMES = (
    "",
    "other",
    "../identity.pem",
    "/tmp/identity.pem",
    "identity.pem\n",
    "identity.pem\x00",
    "runs/../identity.pem",
    f"runs/{'0' * 17}/session",
    f"runs/{'0' * 16}/sum-{'1' * 300}.json",
    f"runs/{'0' * 16}/sum-000000000\u0661.json",
    f"runs/{'0' * 16}/.session.1.new",
    "index/session",
    "pending.json",
    "\ud800",
)


@pytest.mark.parametrize("name", NAMES)
def test_other_names_than_a_key_holders_are_not_written(kept: KeptFiles, folder: Path, name: str) -> None:
    with pytest.raises(HolderUnusable, match="a file that no key holder has; nothing was written"):
        kept.keep((StateFile(SESSION, b"fine"), StateFile(name, b"not")))

    assert on_disk(folder) == {}


def test_together_they_are_no_larger_than_agreed(kept: KeptFiles, folder: Path) -> None:
    """Three pages for names, so one page of content is left; what replaces a file counts once."""
    fits = (StateFile(SESSION, b"x" * PAGE_BYTES), StateFile(SUM, b""), StateFile(INDEX, b""))
    kept.keep(fits)
    kept.keep(fits)
    before = on_disk(folder)

    for more in (StateFile(SUM, b"x"), StateFile("peers.toml", b"")):
        with pytest.raises(HolderUnusable, match=f"more than {MOST} bytes; no sum was given"):
            kept.keep((more,))
    kept.close()
    with (
        closing(KeptFiles(folder, most_bytes=MOST)) as again,
        pytest.raises(HolderUnusable, match="more than"),
    ):
        again.keep((StateFile(SUM, b"x"),))

    assert on_disk(folder) == before


@pytest.mark.parametrize("writes", range(4))
def test_a_crash_leaves_all_or_nothing(
    kept: KeptFiles, folder: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The first write is the note of what is to come; from then on all of it comes, at the next start."""
    old = {f"{SESSION}.sealed": b"one", f"{INDEX}.sealed": b"index one"}
    new = {f"{SESSION}.sealed": b"two", f"{SUM}.sealed": b"sum", f"{INDEX}.sealed": b"index two"}
    kept.keep((StateFile(SESSION, b"one"), StateFile(INDEX, b"index one")))
    left = [None] * writes

    def crash_later(path: Path, content: bytes) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write_whole(path, content)

    monkeypatch.setattr(kept_files, "write_whole", crash_later)
    with pytest.raises(KeyboardInterrupt):
        kept.keep((StateFile(SESSION, b"two"), StateFile(SUM, b"sum"), StateFile(INDEX, b"index two")))
    monkeypatch.undo()
    kept.close()
    KeptFiles(folder, most_bytes=MOST).close()

    assert on_disk(folder) == (new if writes else old)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"kind": "Pending", "files": [{"name": "../x", "sealed": ""}]}']
)
def test_a_damaged_note_is_not_followed(kept: KeptFiles, folder: Path, content: bytes) -> None:
    kept.close()
    (folder / PENDING).write_bytes(content)

    with pytest.raises(HolderUnusable, match="is damaged"):
        KeptFiles(folder, most_bytes=MOST)
    assert on_disk(folder) == {PENDING: content}


def test_a_disk_that_cannot_be_written_is_said_so(kept: KeptFiles, folder: Path) -> None:
    (folder / "runs").write_bytes(b"no folder")

    with pytest.raises(HolderUnusable, match="disk cannot be written"):
        kept.keep((StateFile(SESSION, b"one"),))
