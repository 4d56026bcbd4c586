"""The key holder in the real sandbox: the same answers, and a disk that holds no key in clear."""

import base64
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from privacy.enclave import channel
from privacy.enclave.inside import InsideEnclave
from privacy.enclave.isolation import Isolation
from privacy.errors import HolderGone, HolderUnusable, OpeningRefused
from privacy.flat_messages import decode_message, encode_message
from privacy.identity import PinnedPeers
from privacy.paillier.aggregation import HOLDER, HeldRoster, HolderAdvert, OpenedSum
from privacy.paillier.enclosed_holder import EnclosedHolder, enclose
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.paillier.holder_enclave import Answered, Restore, serve
from privacy.paillier.holder_pipe import KINDS, Create, Done, Introduce, Introduced, Offer, Pin, accepted
from privacy.paillier.kept_files import KeptFiles
from privacy.paillier.state_files import file_context
from privacy.sealing import open_bytes
from tests.privacy.masks.masked_federation import RUN
from tests.privacy.paillier.paillier_federation import BITS, PaillierFederation, plain_sum, small_vectors

CREATE = Create(BITS, min_silos=3, insecure=True)


@pytest.fixture
def federation(tmp_path: Path) -> PaillierFederation:
    return PaillierFederation(tmp_path / "apart")


@pytest.fixture
def folder(tmp_path: Path, federation: PaillierFederation) -> Path:
    """A key holder made in the sandbox, which knows the federation's silos."""
    place = tmp_path / "holder"
    enclose(place, Isolation.FULL)
    with EnclosedHolder(place) as holder:
        holder.ask(CREATE, Introduced)
        for name, identity in federation.identities.items():
            holder.ask(Pin(name, base64.b64encode(identity.public_key).decode()), Done)
    return place


def join(federation: PaillierFederation, holder: EnclosedHolder) -> None:
    """Silos pin the holder, and everybody agrees on keys with it."""
    public_key = holder.ask(Introduce(), Introduced).public_key
    federation.peers = PinnedPeers({**federation.peers.keys, HOLDER: public_key})
    federation.held = HeldRoster(federation.roster, holder.ask(Offer(RUN), HolderAdvert))
    assert holder.ask(federation.roster, Done) == Done()
    federation.stored = {name: federation.join(offer).to_bytes() for name, offer in federation.offers.items()}


def test_a_sum_is_opened_inside_once_and_given_again_after_a_restart(
    federation: PaillierFederation, folder: Path
) -> None:
    vectors = small_vectors(5)
    with EnclosedHolder(folder) as holder:
        join(federation, holder)
        request = federation.round()
        asked = federation.asked(request, federation.updates(request, vectors).values())
        opened = holder.ask(asked, OpenedSum)

    with EnclosedHolder(folder) as again:
        assert again.ask(asked, OpenedSum) == opened
        with pytest.raises(OpeningRefused, match="was another one"):
            again.ask(replace(asked, question=b"x" * 32), OpenedSum)

    total = EncryptedSum(federation.held, request).read(opened).view(np.int64)
    assert total.tolist() == plain_sum(vectors)


def test_what_is_on_the_disk_is_sealed(folder: Path) -> None:
    """The private key is there, for who has the state key; no file shows any of it."""
    name = "paillier-key.json"
    sealed = (folder / "state" / f"{name}.sealed").read_bytes()
    key = json.loads(open_bytes((folder / "state.key").read_bytes(), sealed, file_context(name)))
    secret = str(key["p"]).encode()

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert [path for path in files if secret in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def sealed(folder: Path, name: str) -> Path:
    return folder / "state" / f"{name}.sealed"


def flip_a_bit(folder: Path) -> None:
    content = sealed(folder, "paillier-key.json").read_bytes()
    sealed(folder, "paillier-key.json").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def pin_and_put_back_one_file(folder: Path) -> None:
    """The file of before, which this key sealed under this name."""
    before = sealed(folder, "peers.toml").read_bytes()
    with EnclosedHolder(folder) as holder:
        holder.ask(Pin("west", base64.b64encode(b"w" * 32).decode()), Done)
    sealed(folder, "peers.toml").write_bytes(before)


def add_a_file(folder: Path) -> None:
    added = sealed(folder, f"runs/{'0' * 16}/session")
    added.parent.mkdir(parents=True)
    added.write_bytes(sealed(folder, "peers.toml").read_bytes())


CHANGES: dict[str, Callable[[Path], object]] = {
    "a flipped bit": flip_a_bit,
    "another file's content": lambda folder: sealed(folder, "paillier-key.json").write_bytes(
        sealed(folder, "peers.toml").read_bytes()
    ),
    "another state key": lambda folder: (folder / "state.key").write_bytes(b"k" * 32),
    "a file left out": lambda folder: sealed(folder, "peers.toml").unlink(),
    "one file of before": pin_and_put_back_one_file,
    "no index": lambda folder: sealed(folder, "index").unlink(),
    "a file more": add_a_file,
}


@pytest.mark.parametrize("what", CHANGES)
def test_files_that_were_changed_start_nothing_and_leave_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    CHANGES[what](folder)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    for _ in range(2):  # nor is the folder left in use
        with pytest.raises(HolderUnusable, match="do not belong together") as unusable:
            EnclosedHolder(folder)
        assert "rather make a new key holder" in unusable.value.hint
        assert list(temporary.iterdir()) == []


def test_a_history_longer_than_one_message_is_restored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are of as many bytes here as all files have, before they are encoded."""
    sizes = [path.stat().st_size for path in (folder / "state").rglob("*.sealed")]
    assert max(sizes) * 3 / 2 < sum(sizes)
    monkeypatch.setattr(channel, "MOST_BYTES", sum(sizes))

    with EnclosedHolder(folder) as holder:
        assert len(holder.ask(Introduce(), Introduced).public_key) == 32


def test_what_could_not_be_kept_is_not_given_when_asked_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise HolderUnusable("the disk is full")

    with EnclosedHolder(folder) as holder:
        monkeypatch.setattr(KeptFiles, "keep", full)
        with pytest.raises(HolderUnusable, match="the disk is full"):
            holder.ask(Offer(RUN), HolderAdvert)
        monkeypatch.undo()
        with pytest.raises(HolderGone, match="no sum was opened"):
            holder.ask(Introduce(), Introduced)

    with EnclosedHolder(folder) as again:
        assert len(again.ask(Introduce(), Introduced).public_key) == 32


def test_one_folder_serves_one_key_holder_at_a_time(folder: Path) -> None:
    with EnclosedHolder(folder), pytest.raises(HolderUnusable, match="runs already"):
        EnclosedHolder(folder)


class WithoutMemory:
    """The enclave's inside where the kernel gives no memory to keep files in."""

    spill_folder = None

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.send = self.answers.append

    def receive(self) -> tuple[bytes, list[int]]:
        return encode_message(Restore(b"k" * 32, b"")), []


def test_without_files_in_memory_no_key_is_written_anywhere() -> None:
    enclave = WithoutMemory()

    serve(cast(InsideEnclave, enclave))

    (answered,) = (decode_message(answer, (Answered,)) for answer in enclave.answers)
    with pytest.raises(HolderUnusable, match="no memory to keep files in"):
        accepted(decode_message(answered.answer, KINDS), Done)
    assert answered.files == ()


def test_a_folder_that_is_in_use_is_left_as_it_is(folder: Path) -> None:
    with pytest.raises(HolderUnusable, match="there is a key holder already"):
        enclose(folder, Isolation.FULL)
