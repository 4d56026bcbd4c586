"""A partner world on disk: each partner's table as CSV and Parquet, its rules, and the truth nobody else sees."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from simulations.errors import WorldNotWritten
from simulations.partner_rules import RULE_TEXTS
from simulations.partner_world import PartnerWorld

TABLES = ("exposures", "conversions", "crm")


@dataclass(frozen=True)
class PartnerFiles:
    """Where a partner world is."""

    folder: Path

    @property
    def truth(self) -> Path:
        """The experiment's true effect, and overlap sizes."""
        return self.folder / "truth.json"

    def csv(self, table: str) -> Path:
        """A table with addresses in clear, before hashing."""
        return self.folder / f"{table}.csv"

    def parquet(self, table: str) -> Path:
        """The same table."""
        return self.folder / f"{table}.parquet"

    def rules(self, name: str) -> Path:
        """Rules of a dataset: `exposures`, `conversions`, `conversions-dp` or `crm`."""
        return self.folder / f"{name}.rules.toml"


def write_partner_world(world: PartnerWorld, folder: Path) -> PartnerFiles:
    """Write tables, rules and truth into `folder`; files of these names are replaced. Raises WorldNotWritten."""
    files = PartnerFiles(Path(folder))
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            table: pa.Table = getattr(world.tables, name)
            pa_csv.write_csv(table, files.csv(name))
            pq.write_table(table, files.parquet(name), compression="zstd")
        for name, text in RULE_TEXTS.items():
            (files.folder / name).write_text(text, encoding="utf-8")
        files.truth.write_text(json.dumps(_truth(world), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise WorldNotWritten(
            f"cannot write {error.filename or folder}: {error.strerror}",
            hint="free space or choose another directory",
        ) from error
    return files


def _truth(world: PartnerWorld) -> dict[str, object]:
    weeks = world.weeks
    return {
        **asdict(world.truth),
        "spec": world.spec.model_dump(),
        "silo": weeks.silo,
        "first_day": str(weeks.start),
        "weekly_spend": {
            name: weeks.spend[:, index].round(2).tolist() for index, name in enumerate(weeks.channels)
        },
        "weekly_sales": weeks.sales.round(2).tolist(),
    }
