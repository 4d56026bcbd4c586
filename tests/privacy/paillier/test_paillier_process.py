"""The key holder in its own process: what crosses the pipe, how it ends, and that the key is only there."""

import base64
import io
import os
import signal
import subprocess
import sys
import time

import pytest

from privacy.errors import (
    HolderGone,
    HolderUnusable,
    MalformedMessage,
    OpeningRefused,
    PrivacyError,
    UntrustedPeer,
)
from privacy.identity import SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.paillier.aggregation import HOLDER, HeldRoster, HolderAdvert, OpenedSum, OpenRequest
from privacy.paillier.holder_pipe import (
    Create,
    Done,
    Introduce,
    Introduced,
    Offer,
    Pin,
    read_frame,
    write_frame,
)
from privacy.paillier.holder_process import HolderProcess
from privacy.paillier.keys import HolderKey
from tests.privacy.masks.masked_federation import RUN
from tests.privacy.paillier.paillier_federation import BITS, PaillierFederation, plain_sum, small_vectors

CREATE = Create(BITS, min_silos=3, insecure=True)


@pytest.fixture
def federation(tmp_path):
    return PaillierFederation(tmp_path / "holder")


@pytest.fixture
def process(tmp_path):
    with HolderProcess(tmp_path / "holder") as running:
        yield running


def test_a_sum_is_opened_in_another_process(federation, process):
    """Keys, roster and sum cross the pipe; the first half of the run was this process's, on the same disk."""
    advert = process.ask(Offer(RUN), HolderAdvert)
    federation.held = HeldRoster(federation.roster, advert)
    assert process.ask(federation.roster, Done) == Done()
    federation.stored = {name: federation.join(offer).to_bytes() for name, offer in federation.offers.items()}
    vectors, request = small_vectors(5), federation.round()
    asked = federation.asked(request, federation.updates(request, vectors).values())

    opened = process.ask(asked, OpenedSum)

    assert opened == federation.home.open(asked)
    assert federation.total(request, asked) == plain_sum(vectors)
    assert process.ask(Introduce(), Introduced).process_id not in (os.getpid(), os.getppid())


def test_the_key_is_made_where_it_stays(tmp_path, process):
    """This process asks for keys and gets a public one; the private one is on the holder's disk, for its owner."""
    made = process.ask(CREATE, Introduced)
    path = tmp_path / "holder" / "paillier-key.json"

    assert made.public_key == process.ask(CREATE, Introduced).public_key
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "holder").stat().st_mode & 0o777 == 0o700


def test_no_answer_of_the_process_holds_a_prime(federation, process):
    """Their product leaves; neither factor does."""
    key = HolderKey.load(federation.home.directory / "paillier-key.json")
    answers = [process.ask(Introduce(), Introduced), process.ask(Offer(RUN), HolderAdvert)]
    told = [value for answer in answers for value in vars(answer).values() if isinstance(value, bytes)]

    assert key.modulus.to_bytes(BITS // 8, "big") in told
    for prime in (key.p, key.q):
        assert not any(prime.to_bytes(BITS // 16, "big") in octets for octets in told)


def test_refusals_cross_the_pipe_as_what_they_are(federation, process):
    alone = OpenRequest(RUN, 1, bytes(32), federation.held.digest, 4, 1000, ("silo-00",), b"")
    with pytest.raises(OpeningRefused, match="1 silos are in the sum") as refused:
        process.ask(alone, OpenedSum)
    assert "more silos" in refused.value.hint

    strangers = build_roster([offer_key(SiloIdentity.generate(name), RUN).advert for name in "abc"])
    process.ask(Offer(RUN), HolderAdvert)
    with pytest.raises(UntrustedPeer, match="no key is pinned for a"):
        process.ask(strangers, Done)


def test_pins_are_kept(tmp_path, process):
    process.ask(CREATE, Introduced)
    public_key = SiloIdentity.generate("north").public_key
    process.ask(Pin("north", base64.b64encode(public_key).decode()), Done)

    with HolderProcess(tmp_path / "holder") as later:
        later.ask(Pin("south", base64.b64encode(SiloIdentity.generate("south").public_key).decode()), Done)
    assert (tmp_path / "holder" / "peers.toml").read_text(encoding="utf-8").count(" = ") == 2


def test_a_directory_without_a_key_is_refused_in_words(process):
    with pytest.raises(HolderUnusable, match="no readable private key"):
        process.ask(Offer(RUN), HolderAdvert)


def test_a_killed_process_is_a_clear_error(federation, process):
    os.kill(process.ask(Introduce(), Introduced).process_id, signal.SIGKILL)
    with pytest.raises(HolderGone, match="ended without an answer"):
        process.ask(Introduce(), Introduced)


def test_it_ends_when_whoever_started_it_is_killed(federation):
    """The parent dies without a chance to say so; the pipe closes all the same."""
    program = (
        "import os, sys, pathlib\n"
        "from privacy.paillier.holder_process import HolderProcess\n"
        "from privacy.paillier.holder_pipe import Introduce, Introduced\n"
        "process = HolderProcess(pathlib.Path(sys.argv[1]))\n"
        "print(process.ask(Introduce(), Introduced).process_id, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(federation.home.directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    child, deadline = int(ran.stdout), time.monotonic() + 10

    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


def _runs(process_id: int) -> bool:
    """A process that ended but was not yet waited for by its new parent does not run any more."""
    try:
        with open(f"/proc/{process_id}/stat", encoding="utf-8") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_only_listed_messages_cross_the_pipe():
    """No pickle, no other class, no half frame."""
    stream = io.BytesIO()
    write_frame(stream, Pin("north", "key"))
    stream.seek(0)
    assert read_frame(stream) == Pin("north", "key")

    for content in (
        b'{"kind": "Popen", "args": "true"}',
        b'{"kind": "Pin"}',
        b"\x80\x04K\x01.",
        b'{"bytes": 1}',
    ):
        with pytest.raises(MalformedMessage):
            read_frame(io.BytesIO(len(content).to_bytes(4, "big") + content))
    with pytest.raises(MalformedMessage):
        read_frame(io.BytesIO(b"\xff" * 8))
    with pytest.raises(EOFError):
        read_frame(io.BytesIO(b"\x00\x00\x00\x09short"))


def test_a_message_it_does_not_know_what_to_do_with_is_refused(federation, process):
    with pytest.raises(PrivacyError, match="does not answer such a message"):
        process.ask(Done(), Done)


def test_the_holders_name_is_the_one_silos_pin(federation):
    assert federation.home.identity.silo == HOLDER
