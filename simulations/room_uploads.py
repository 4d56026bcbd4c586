"""What each owner does on its own machine: hash its table with the collaboration's key, sign rules, seal, upload."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.partner.hash_file import HashOrder, HashReport, hash_file
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.table_upload import UploadedTable
from cleanroom.rules.analysis_rule import RuleDocument
from simulations.partner_files import PartnerFiles
from simulations.room_parties import Party

HASHED = "hashed"


@dataclass(frozen=True)
class OwnTable:
    """What became of one owner's table."""

    party: Party
    hashed: HashReport
    uploaded: UploadedTable

    @property
    def left_out(self) -> int:
        """Rows without a usable address."""
        return self.hashed.rows - self.hashed.hashed


def upload_own_table(room: RoomClient, party: Party, files: PartnerFiles) -> OwnTable:
    """Hash, sign, seal, send. Only the sealed table leaves the party's folder."""
    document = rules_of(files.rules(party.dataset))
    source = files.parquet(party.dataset)
    target = room.home.folder / f"{party.dataset}-{HASHED}{source.suffix}"
    report = hash_file(source, target, HashOrder("email", room.home.identity_key, document.identity))
    room.propose_rules(document)
    return OwnTable(party, report, room.upload(target, party.dataset))


def rules_of(path: Path) -> RuleDocument:
    """The document in a file."""
    return RuleDocument.parse(path.read_bytes(), name=path.name)
