"""The key holder in the real sandbox: the same answers, and a disk that holds no key in clear."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privacy.enclave.sandbox_profile import Isolation
from privacy.errors import HolderGone, HolderUnusable, OpeningRefused
from privacy.identity import PinnedPeers
from privacy.paillier.aggregation import HOLDER, HeldRoster, HolderAdvert, OpenedSum
from privacy.paillier.enclosed_holder import EnclosedHolder, enclose
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.paillier.holder_enclave import file_context
from privacy.paillier.holder_pipe import Create, Done, Introduce, Introduced, Offer, Pin
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


@pytest.mark.parametrize("what", ["a flipped bit", "another file's content", "another state key"])
def test_files_that_were_changed_start_nothing(folder: Path, what: str) -> None:
    key_file, peers = (folder / "state" / f"{name}.sealed" for name in ("paillier-key.json", "peers.toml"))
    if what == "a flipped bit":
        key_file.write_bytes(key_file.read_bytes()[:-1] + bytes([key_file.read_bytes()[-1] ^ 1]))
    elif what == "another file's content":
        key_file.write_bytes(peers.read_bytes())
    else:
        (folder / "state.key").write_bytes(b"k" * 32)

    with pytest.raises(HolderGone, match="no sum was opened") as gone:
        EnclosedHolder(folder)

    assert "restore both from one backup" in gone.value.hint


def test_a_folder_that_is_in_use_is_left_as_it_is(folder: Path) -> None:
    with pytest.raises(HolderUnusable, match="there is a key holder already"):
        enclose(folder, Isolation.FULL)
