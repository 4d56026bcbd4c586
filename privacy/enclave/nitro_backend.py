"""What a deployment on AWS Nitro Enclaves has to supply in the emulation's place. It starts nothing yet.

1. Image. `nitro-cli build-enclave` on an image that holds Python, `constraints.txt` and the files which
   `mixroom enclave measure --files` lists. It prints PCR 0, 1 and 2 (SHA-384): partners allow that PCR 0.
2. Start. `nitro-cli run-enclave --eif-path .. --memory .. --cpu-count .. --enclave-cid CID`, never with
   `--debug-mode`, which attests zeros. An enclave serves one conversation; start one ahead to keep it warm.
3. Channel. A vsock connection to CID in place of the pair of local sockets: the frames of `privacy/enclave/channel.py`
   are the same, but no descriptors can travel. The sealed files are sent as messages before the job instead.
4. Inside. `InsideEnclave` asks the device /dev/nsm, not the host, for documents: an ioctl with the CBOR map
   {"Attestation": {"user_data", "nonce", "public_key"}}, answered by {"Attestation": {"document"}}. Nitro allows 512
   bytes for nonce and user data and 1,024 for the key: this project's 32, 32 and 64 fit. Clock and randomness come
   from the device as well. It signs as many documents as it is asked for, and the program hands each to the host:
   what the emulation's limit of 16 documents of 2 KB chosen inside keeps small is then for the program to keep small.
5. Trust. Partners pin AWS's root certificate in place of the emulated one, with `production` set: the verifier
   (`privacy/enclave/attestation_verifier.py`) reads Nitro's documents as they are, leaf and bundle included.
6. Keys. Owners' brokers are used unchanged. KMS's own attestation conditions are not needed.

The hypervisor then does what the sandbox does here, so system call filters and mounts are no part of the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from privacy.enclave.tee_backend import Enclave
from privacy.errors import EnclaveUnavailable

HOST_DEVICE = Path("/dev/nitro_enclaves")


@dataclass(frozen=True)
class NitroBackend:
    """`TeeBackend` for an image that was built and measured: `measurement` as nitro-cli printed it, `root` AWS's."""

    measurement: Measurement
    root: bytes
    isolation: Isolation = Isolation.FULL

    def start(self) -> Enclave:
        """Raises EnclaveUnavailable: first for want of the hardware, else for want of the steps above."""
        if not HOST_DEVICE.exists():
            raise EnclaveUnavailable(
                f"this machine has no {HOST_DEVICE}; nothing was started",
                hint="use an EC2 instance with enclaves enabled, or the emulated backend",
            )
        raise EnclaveUnavailable(
            "no Nitro image of this program is deployed here; nothing was started",
            hint="privacy/enclave/nitro_backend.py lists the steps of a deployment",
        )

    def close(self) -> None:
        """Nothing was started."""
