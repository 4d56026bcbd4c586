"""Coverage-guided fuzzing of what strangers send: `python -m tests.privacy.enclave.coverage_fuzz --seconds N`.

Attestation documents, also signed ones and ones with strange certificates; statements, grants and jobs. Atheris
changes bytes and keeps what reaches new code. Exit code 0: nothing but the parsers' own refusals came out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cbor2

from tests.inherited_peak import inherited_peak_mib

if TYPE_CHECKING:  # importing it loads what is to be instrumented
    from tests.privacy.enclave.forgery import Chain


def main() -> None:
    """Fuzz for so many seconds, starting from sound documents."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=60)
    seconds = asked.parse_args().seconds
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["privacy", "cleanroom"]):
        verifier = importlib.import_module("privacy.enclave.attestation_verifier")
        refusals = importlib.import_module("privacy.errors")
        statement = importlib.import_module("cleanroom.worker.statement").Statement
        grant = importlib.import_module("cleanroom.worker.key_exchange").Grant
        job = importlib.import_module("cleanroom.worker.job").Job
        room = importlib.import_module("cleanroom.errors")
        forgery = importlib.import_module("tests.privacy.enclave.forgery")
    chain: Chain = forgery.Chain.sound()
    # what each kind of input is accepted for: a document, a leaf's certificate, a host's
    sound = {b"d": chain.document(), b"c": chain.leaf.certificate, b"h": chain.hosts[0].certificate}

    def verify(kind: bytes, content: bytes, document: bytes) -> None:
        with suppress(refusals.AttestationRefused):
            verifier.verify_attestation(document, chain.policy, nonce=forgery.NONCE, now=forgery.NOW)
            assert content.removeprefix(b"\xd2") == sound[kind]

    def parse(content: bytes) -> None:
        with suppress(room.KeyRefused):
            grant.of(content)
        with suppress(ValueError, RecursionError):  # of JSON's own parser
            plain = json.loads(content)
            with suppress(room.KeyRefused):
                statement.of(plain)
            with suppress(room.QueryFailed):
                job.of(plain)

    def one_input(data: bytes) -> None:
        kind, content = data[:1], data[1:]
        match kind:
            case b"d":
                verify(kind, content, content)
            case b"s":
                with suppress(
                    refusals.AttestationRefused
                ):  # signed anew: the fields themselves are what is tried
                    verifier.verify_attestation(
                        chain.signed(content), chain.policy, nonce=forgery.NONCE, now=forgery.NOW
                    )
            case b"c":
                verify(kind, content, chain.document(certificate=content))
            case b"h":
                verify(kind, content, chain.document(cabundle=[chain.root.certificate, content]))
            case _:
                parse(content)

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(_seeds(chain, sound)):
            Path(folder, str(number)).write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            "-max_len=4000",
            "-len_control=0",
            "-timeout=20",
            f"-rss_limit_mb={2048 + inherited_peak_mib()}",
        ]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], one_input)
        atheris.Fuzz()


def _seeds(chain: Chain, sound: Mapping[bytes, bytes]) -> Iterator[bytes]:
    yield from (kind + content for kind, content in sound.items())
    yield b"s" + cbor2.dumps(chain.fields())
    yield b'j{"format":"mixroom-statement/1","charge":{"epsilon":0.5,"delta":0},"tables":[{}],"nonces":{}}'
    yield b'j{"format":"mixroom-grant/1","dataset_keys":{},"state_key":"","committed":null,"confirm_key":""}'
    yield b'j{"query_id":"q","collaboration":"c","tables":[],"template":null,"candidates":[]}'


if __name__ == "__main__":
    main()
