"""A room for one replay: the real store, vault, seals, rules, ledger and query desk, in a temporary folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.datasets.sealed_table import TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.datasets.vault import Vault
from cleanroom.governance.dataset_views import CompletedUpload, NewVersion
from cleanroom.governance.governance import Governance
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import Principal
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.room_ids import new_version_id
from cleanroom.governance.store import Store, open_store
from cleanroom.partner.hash_file import HashOrder, hash_file
from cleanroom.replay.local_executor import LocalExecutor, OwnKeys
from cleanroom.replay.parties import ANALYST, gather, utc_now
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.rules.reference_rules import OWNERS
from cleanroom.service.query_desk import QueryDesk
from cleanroom.worker.run_job import WorkerLimits
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key


@dataclass(frozen=True)
class Site:
    """What all rooms of a replay share: a folder, keys, a vault of sealed tables."""

    folder: Path
    identity: IdentityKey
    own: OwnKeys
    vault: Vault
    limits: WorkerLimits

    @classmethod
    def at(cls, folder: Path, limits: WorkerLimits) -> Site:
        """A new site in an empty folder."""
        identity = IdentityKey.generate(IdentifierKind.ID, IdentifierRule.OPAQUE)
        return cls(folder, identity, OwnKeys(), Vault(folder / "vault"), limits)


@dataclass(frozen=True)
class RoomImage:
    """A room with rules and tables in it, before its first query; `open_copy` starts from here every time."""

    site: Site
    database: Path
    keys: Mapping[str, PartyKeys]
    api_keys: Mapping[str, str]
    collaboration: str
    pepper: Pepper
    documents: Mapping[str, RuleDocument]

    def open_copy(self, name: str) -> ThrowawayRoom:
        """A fresh room: nothing was asked in it."""
        copy = self.site.folder / f"{name}.db"
        shutil.copyfile(self.database, copy)
        return ThrowawayRoom(self, _url(copy))


class ThrowawayRoom:
    """One room, its analyst, and the executor that tells what was withheld."""

    def __init__(self, image: RoomImage, url: str) -> None:
        self._image = image
        self._store: Store = open_store(url)
        self.room = Governance.of(
            self._store, pepper=image.pepper, service_keys=PartyKeys.generate("service")
        )
        self.executor = LocalExecutor(image.site.own, image.site.limits)
        self.desk = QueryDesk(self.room, image.site.vault, self.executor)
        self.collaboration = image.collaboration
        self.analyst = self.principal(ANALYST)

    def principal(self, member: str) -> Principal:
        """The member, logged in."""
        return self.room.api_keys.authenticate(self._image.api_keys[member], now=utc_now())

    def upload(self, dataset: str, table: pa.Table) -> None:
        """Hash, seal and store a table as its owner's machine would, as a new version."""
        document = self._image.documents[dataset]
        owner = owner_of(dataset)
        site = self._image.site
        version = new_version_id()
        raw, hashed, sealed = (
            site.folder / f"{version}.{end}" for end in ("raw.parquet", "parquet", "sealed")
        )
        pq.write_table(table, raw)
        order = HashOrder(document.identity, site.identity, token_column=document.identity)
        hash_file(raw, hashed, order)
        context = TableContext(self.collaboration, dataset, version, owner, site.identity.tag)
        key = new_key()
        done = seal_table(hashed, sealed, TableSealing(document, context, utc_now().date()), key=key)
        plain = done.manifest.to_plain()
        principal = self.principal(owner)
        self.room.datasets.begin_upload(
            principal, NewVersion(self.collaboration, dataset, version, plain), now=utc_now()
        )
        site.vault.begin(version, done.manifest.sealed_bytes, done.manifest.sealed_sha256)
        with sealed.open("rb") as file:
            site.vault.append(version, 0, iter(lambda: file.read(1 << 20), b""))
        path = site.vault.commit(version, version)
        site.own.dataset_keys[version] = key
        completed = CompletedUpload(
            self.collaboration, version, plain, str(path), key_commitment(version, key)
        )
        self.room.datasets.complete_upload(principal, completed, now=utc_now())
        for leftover in (raw, hashed, sealed):
            leftover.unlink()

    def close(self) -> None:
        """Forget the room."""
        self._store.close()


def build_image(
    site: Site, name: str, documents: Mapping[str, RuleDocument], tables: Mapping[str, pa.Table]
) -> RoomImage:
    """Found a collaboration of the datasets' owners and an analyst, sign the rules, upload the tables."""
    database = site.folder / f"{name}.image.db"
    pepper = Pepper(new_key())
    store = open_store(_url(database))
    room = Governance.of(store, pepper=pepper, service_keys=PartyKeys.generate("service"))
    parties = gather(room, sorted({owner_of(dataset) for dataset in documents}), site.identity)
    for dataset, document in documents.items():
        parties.agree(owner_of(dataset), ProposalKind.RULES, {"document": document.canonical()})
    store.close()
    image = RoomImage(
        site, database, parties.keys, parties.api_keys, parties.collaboration, pepper, documents
    )
    with_tables = ThrowawayRoom(image, _url(database))
    for dataset, table in tables.items():
        with_tables.upload(dataset, table)
    with_tables.close()
    return image


def owner_of(dataset: str) -> str:
    """The reference owners; any other dataset is owned by a party of its own name."""
    return OWNERS.get(dataset, dataset.replace("_", "-"))


def _url(path: Path) -> str:
    return f"sqlite:///{path}"
