"""An enclave platform's root certificate as one line of text, for a command line or a message."""

import base64
import binascii

from mixroom.errors import UsageError


def root_text(certificate: bytes) -> str:
    """Base64 of the certificate (DER)."""
    return base64.b64encode(certificate).decode()


def certificate_in(text: str) -> bytes:
    """The certificate. Raises UsageError for what is not base64; nothing was pinned."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise UsageError(
            "the root given is not base64; nothing was pinned",
            hint="copy it again from `mixroom enclave root`",
        ) from error
