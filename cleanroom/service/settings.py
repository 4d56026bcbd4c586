"""How one service runs: where its data are, where it listens, how long and how evenly it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from privacy.enclave.isolation import Isolation

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class RoomSettings(BaseModel):
    """Frozen settings of `mixroom room serve`.

    answer_step_seconds: answers to queries leave at whole multiples of it after the request came in.
    query_seconds: a query that runs longer fails; its charge stays.
    largest_table_bytes, largest_vault_bytes: limits of one sealed table, and of all of them together.
    isolation: what separates the worker from this machine; measured, so that owners' brokers may refuse the lesser one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    database: str = ""
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    identity_providers: Path | None = None
    answer_step_seconds: Annotated[float, Field(gt=0, le=10)] = 0.25
    query_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    request_threads: Annotated[int, Field(ge=4, le=1024)] = 64
    worker_processes: Annotated[int, Field(ge=1, le=64)] = 2
    isolation: Isolation = Isolation.FULL
    largest_table_bytes: Annotated[int, Field(ge=1)] = 64 * 1024**3
    largest_vault_bytes: Annotated[int, Field(ge=1)] = 1024**4

    @model_validator(mode="after")
    def _encrypted_where_others_listen(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate and its key go together")
        if self.certificate is None and self.host not in LOOPBACK and not self.insecure:
            raise ValueError(f"without a certificate only a loopback address is served, not {self.host:.60}")
        return self

    @model_validator(mode="after")
    def _isolated(self) -> Self:
        if self.isolation is Isolation.NONE:
            raise ValueError("a service's worker is isolated: full, or reduced")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS ends in this process."""
        return self.certificate is not None

    @property
    def database_url(self) -> str:
        """The database, a SQLite file in the data folder unless one was named."""
        return self.database or f"sqlite:///{(self.data / 'room.db').resolve()}"
