"""Signed documents in requests: what they must look like before anybody verifies them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from cleanroom.service.answer_bodies import Asked

Word = Annotated[str, Field(max_length=200)]


class SignedDocument(Asked):
    """A document with an Ed25519 signature over all of it, keys and signature in base64."""

    kind: Word
    body: dict[str, Any]
    signer: Word
    public_key: Word
    signature: Word

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return self.model_dump(mode="json")
