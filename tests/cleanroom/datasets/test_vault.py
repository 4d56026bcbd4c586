"""Uploads that break off at any moment and go on, and tables that appear whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from hashlib import sha256

import pytest

from cleanroom.datasets.announced_upload import UploadProgress
from cleanroom.datasets.vault import Vault, VaultLimits
from cleanroom.errors import Conflict, NotFound, UploadBroken

CONTENT = bytes(range(256)) * 40
DIGEST = sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)  # 10,240


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


@pytest.fixture
def vault(folder):
    return Vault(folder)


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def upload(vault: Vault, name: str = "up-1", version: str = "ver-1") -> None:
    vault.begin(name, SIZE, DIGEST)
    vault.append(name, 0, [CONTENT[:5000], b"", CONTENT[5000:]])
    vault.commit(name, version)


def test_an_upload_becomes_a_table_under_its_version(vault, folder):
    upload(vault)

    assert vault.path("ver-1").read_bytes() == CONTENT
    assert vault.versions() == ("ver-1",)
    assert files(folder) == ["sealed/ver-1.sealed"]


def test_only_the_service_may_read_the_vault(vault, folder):
    upload(vault)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert vault.path("ver-1").stat().st_mode & 0o777 == 0o600


def test_progress_says_where_to_go_on(vault):
    assert vault.begin("up-1", SIZE, DIGEST) == UploadProgress(0, SIZE)
    assert vault.append("up-1", 0, [CONTENT[:100]]) == UploadProgress(100, SIZE)
    assert vault.begin("up-1", SIZE, DIGEST) == vault.progress("up-1") == UploadProgress(100, SIZE)
    assert vault.append("up-1", 100, [CONTENT[100:]]).is_whole


def test_a_repeated_part_changes_nothing(vault):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:200]])
    assert vault.append("up-1", 0, [CONTENT[:200]]) == UploadProgress(200, SIZE)
    assert vault.append("up-1", 100, [CONTENT[100:150]]) == UploadProgress(200, SIZE)
    vault.append("up-1", 150, [CONTENT[150:]])

    assert vault.commit("up-1", "ver-1").read_bytes() == CONTENT


@pytest.mark.parametrize("offset", [101, SIZE, -1])
def test_a_gap_is_refused_and_changes_nothing(vault, offset):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:100]])
    with pytest.raises(UploadBroken, match="nothing was stored"):
        vault.append("up-1", offset, [b"x"])

    assert vault.progress("up-1") == UploadProgress(100, SIZE)


def test_more_bytes_than_announced_are_refused_and_not_kept(vault):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:100]])
    with pytest.raises(UploadBroken, match="more than the 10240 announced bytes"):
        vault.append("up-1", 100, [CONTENT[100:], b"x"])

    assert vault.progress("up-1") == UploadProgress(100, SIZE)


def test_a_connection_that_breaks_off_keeps_what_arrived(vault):
    def broken():
        yield CONTENT[:300]
        raise ConnectionResetError

    vault.begin("up-1", SIZE, DIGEST)
    with pytest.raises(ConnectionResetError):
        vault.append("up-1", 0, broken())
    vault.append("up-1", vault.progress("up-1").received_bytes, [CONTENT[300:]])

    assert vault.commit("up-1", "ver-1").read_bytes() == CONTENT


def test_a_commit_before_the_end_is_refused_and_the_upload_goes_on(vault):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:100]])
    with pytest.raises(UploadBroken, match="100 of 10240 bytes have arrived"):
        vault.commit("up-1", "ver-1")
    vault.append("up-1", 100, [CONTENT[100:]])
    vault.commit("up-1", "ver-1")

    assert vault.versions() == ("ver-1",)


def test_other_bytes_than_announced_leave_nothing(vault, folder):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [bytes(SIZE)])
    with pytest.raises(UploadBroken, match="another SHA-256"):
        vault.commit("up-1", "ver-1")

    assert files(folder) == []


def test_a_version_is_never_replaced(vault):
    upload(vault)
    other = bytes(SIZE)
    vault.begin("up-2", SIZE, sha256(other).hexdigest())
    vault.append("up-2", 0, [other])
    with pytest.raises(Conflict):
        vault.commit("up-2", "ver-1")

    assert vault.path("ver-1").read_bytes() == CONTENT


class PowerLoss(Exception):
    """The process ends here."""


@pytest.mark.parametrize(
    "where, left",
    [
        ("cleanroom.datasets.vault.sync_folder", 3),  # announcement, part and table
        ("cleanroom.datasets.incoming_upload.sync_folder", 1),  # table
        ("cleanroom.datasets.vault.IncomingUpload.remove", 3),
    ],
)
def test_a_commit_that_died_between_its_steps_leaves_a_whole_table(vault, folder, monkeypatch, where, left):
    def dies(*arguments):
        raise PowerLoss

    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT])
    with monkeypatch.context() as crash:
        crash.setattr(where, dies)
        with pytest.raises(PowerLoss):
            vault.commit("up-1", "ver-1")

    assert len(files(folder)) == left
    assert vault.path("ver-1").read_bytes() == CONTENT
    if left > 1:
        assert vault.commit("up-1", "ver-1").read_bytes() == CONTENT
    assert files(folder) == ["sealed/ver-1.sealed"]


def test_a_commit_that_died_with_only_its_announcement_left_can_be_repeated(vault, folder):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT])
    (folder / "incoming" / "up-1.part").rename(folder / "sealed" / "ver-1.sealed")

    assert vault.commit("up-1", "ver-1").read_bytes() == CONTENT
    assert files(folder) == ["sealed/ver-1.sealed"]


def test_an_announcement_cannot_be_changed(vault):
    vault.begin("up-1", SIZE, DIGEST)
    with pytest.raises(Conflict):
        vault.begin("up-1", SIZE + 1, DIGEST)
    with pytest.raises(Conflict):
        vault.begin("up-1", SIZE, "0" * 64)


@pytest.mark.parametrize("size, digest", [(0, DIGEST), (-5, DIGEST), (SIZE, "abc"), (SIZE, DIGEST.upper())])
def test_an_announcement_that_is_none_is_refused(vault, folder, size, digest):
    with pytest.raises(UploadBroken):
        vault.begin("up-1", size, digest)
    assert files(folder) == []


def test_two_requests_do_not_write_to_one_upload_at_once(vault):
    def meanwhile():
        with pytest.raises(Conflict):
            vault.append("up-1", 0, [b"other"])
        with pytest.raises(Conflict):
            vault.commit("up-1", "ver-1")
        with pytest.raises(Conflict):
            vault.abandon("up-1")
        yield CONTENT

    vault.begin("up-1", SIZE, DIGEST)

    assert vault.append("up-1", 0, meanwhile()).is_whole


def test_an_abandoned_upload_leaves_nothing(vault, folder):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:100]])
    vault.abandon("up-1")
    vault.abandon("up-1")

    assert files(folder) == []
    with pytest.raises(NotFound):
        vault.progress("up-1")


def test_an_unknown_upload_takes_no_bytes(vault, folder):
    for action in (
        lambda: vault.append("up-1", 0, [b"x"]),
        lambda: vault.commit("up-1", "ver-1"),
        lambda: vault.progress("up-1"),
    ):
        with pytest.raises(NotFound):
            action()
    assert files(folder) == []


def test_uploads_of_which_nothing_was_heard_are_swept(folder):
    vault = Vault(folder, VaultLimits(upload_expires_seconds=3600))
    for name in ("up-old", "up-new"):
        vault.begin(name, SIZE, DIGEST)
        vault.append(name, 0, [b"x"])
    (folder / "incoming" / ".up-dead.json.0011").write_bytes(b"")
    now = time.time()
    for path in [*(folder / "incoming").glob("up-old*"), folder / "incoming" / ".up-dead.json.0011"]:
        os.utime(path, (now - 3601, now - 3601))

    assert vault.sweep(now) == 1
    assert files(folder) == ["incoming/up-new.json", "incoming/up-new.part"]


def test_an_upload_that_is_being_written_to_is_not_swept(folder):
    vault = Vault(folder, VaultLimits(upload_expires_seconds=0))

    def meanwhile():
        assert vault.sweep(time.time() + 1000) == 0
        yield CONTENT

    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, meanwhile())

    assert vault.progress("up-1").is_whole


def test_a_deleted_version_is_gone(vault, folder):
    upload(vault)
    vault.delete("ver-1")
    vault.delete("ver-1")

    assert (files(folder), vault.versions()) == ([], ())
    with pytest.raises(NotFound):
        vault.path("ver-1")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\0b", "-a", "A", "a.b", "a" * 65, "a\n", "ä"]
)
def test_a_name_that_could_be_a_path_is_refused(vault, folder, name):
    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT])
    before = files(folder)
    for action in (
        lambda: vault.begin(name, SIZE, DIGEST),
        lambda: vault.append(name, 0, [b"x"]),
        lambda: vault.progress(name),
        lambda: vault.commit(name, "ver-1"),
        lambda: vault.commit("up-1", name),
        lambda: vault.abandon(name),
        lambda: vault.path(name),
        lambda: vault.delete(name),
    ):
        with pytest.raises(UploadBroken, match="nothing was changed"):
            action()
    assert files(folder) == before


def test_a_table_larger_than_the_limit_is_refused_when_announced(folder):
    vault = Vault(folder, VaultLimits(largest_table_bytes=SIZE - 1))
    with pytest.raises(UploadBroken, match="10240 bytes were announced and a sealed table may have 10239"):
        vault.begin("up-1", SIZE, DIGEST)
    assert files(folder) == []


def test_stored_and_announced_tables_share_the_room(folder):
    """Room for two: one stored, one announced, no third, until the second is abandoned."""
    vault = Vault(folder, VaultLimits(largest_vault_bytes=2 * SIZE))
    upload(vault)
    vault.begin("up-2", SIZE, DIGEST)
    with pytest.raises(UploadBroken, match="no room"):
        vault.begin("up-3", SIZE, DIGEST)
    vault.begin("up-2", SIZE, DIGEST)
    vault.abandon("up-2")

    assert vault.begin("up-3", SIZE, DIGEST) == UploadProgress(0, SIZE)


def test_a_full_disk_keeps_what_was_acknowledged(vault, monkeypatch):
    def full(descriptor, content, offset):
        raise OSError(28, "No space left on device")

    vault.begin("up-1", SIZE, DIGEST)
    vault.append("up-1", 0, [CONTENT[:100]])
    with monkeypatch.context() as disk:
        disk.setattr("os.pwrite", full)
        with pytest.raises(UploadBroken, match="could not store"):
            vault.append("up-1", 100, [CONTENT[100:]])

    assert vault.progress("up-1") == UploadProgress(100, SIZE)


UPLOADER = """
import sys, time
from hashlib import sha256
from pathlib import Path
from cleanroom.datasets.vault import Vault

content = bytes(range(256)) * 4096
vault = Vault(Path(sys.argv[1]))
vault.begin("up-1", len(content), sha256(content).hexdigest())
vault.append("up-1", 0, [content[:300_000]])

def half():
    yield content[300_000:400_000]
    print("in the middle", flush=True)
    time.sleep(60)

vault.append("up-1", 300_000, half())
"""


def test_an_upload_goes_on_after_its_process_was_killed_in_the_middle_of_a_part(vault, folder):
    """The first part was acknowledged and is there; of the second, which was not, any beginning may be."""
    content = bytes(range(256)) * 4096
    with subprocess.Popen([sys.executable, "-c", UPLOADER, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL

    state = vault.begin("up-1", len(content), sha256(content).hexdigest())
    assert 300_000 <= state.received_bytes <= 400_000
    vault.append("up-1", state.received_bytes, [content[state.received_bytes :]])

    assert vault.commit("up-1", "ver-1").read_bytes() == content
    assert files(folder) == ["sealed/ver-1.sealed"]
