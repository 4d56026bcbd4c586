"""The silo file (TOML) as one frozen, checked value; needs neither data nor pandas nor torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PrivateAttr, model_validator

from mmm_models.intake.silo_tables import (
    CURRENCY,
    ChannelSpec,
    ColumnList,
    ColumnsSpec,
    DataSpec,
    OrganicSpec,
    PrivacyRules,
    SiloTable,
)


class SiloSpec(SiloTable):
    """One silo file. `read_silo_spec` makes it and sets the directory its relative paths start from."""

    silo: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    data: DataSpec
    columns: ColumnsSpec
    channels: dict[str, ChannelSpec] = Field(default_factory=dict)
    organic: dict[str, OrganicSpec] = Field(default_factory=dict)
    controls: ColumnList = ColumnList()
    treatments: ColumnList = ColumnList()
    privacy: PrivacyRules = PrivacyRules()
    lifts: str = ""
    _directory: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _is_consistent(self) -> SiloSpec:
        if not self.channels and not self.organic:
            raise ValueError("needs at least one [channels.NAME] or [organic.NAME]")
        twice = set(self.channels) & set(self.organic)
        if twice:
            raise ValueError(f"channels named twice, paid and organic: {', '.join(sorted(twice))}")
        if self.data.only_units and not self.columns.unit:
            raise ValueError("data.only_units needs columns.unit")
        reused = _columns_used_twice(self)
        if reused:
            raise ValueError("; ".join(reused))
        return self

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def data_path(self) -> Path:
        return self._directory / self.data.path

    @property
    def lifts_path(self) -> Path | None:
        """The lift file with the silo's own experiments; None where it has none."""
        return self._directory / self.lifts if self.lifts else None

    @property
    def state_directory(self) -> Path:
        return self._directory / self.privacy.state

    @property
    def ledger_witness(self) -> Path | None:
        """Where the silo file wants the ledger's head noted; None leaves it to the machine."""
        stated = self.privacy.ledger_witness
        return self._directory / Path(stated).expanduser() if stated else None

    @property
    def currency(self) -> str:
        """Stated, or the outcome's unit when that is money, or the channels' only one; "" when unknown."""
        stated = self.columns.currency
        if stated or (self.outcome_is_money and self.columns.outcome_unit):
            return stated or self.columns.outcome_unit
        by_channel = {channel.currency for channel in self.channels.values() if channel.currency}
        return by_channel.pop() if len(by_channel) == 1 else ""

    @property
    def outcome_is_money(self) -> bool:
        """True unless a revenue is given or the outcome's unit is a word such as "units"."""
        unit = self.columns.outcome_unit
        return self.columns.revenue_per_outcome == 1.0 and (not unit or bool(CURRENCY.match(unit)))

    @property
    def revenue_column(self) -> str:
        revenue = self.columns.revenue_per_outcome
        return revenue if isinstance(revenue, str) else ""

    @property
    def all_channels(self) -> dict[str, ChannelSpec]:
        """Paid, then organic, in file order."""
        return {**self.channels, **{name: item.as_channel() for name, item in self.organic.items()}}

    @property
    def control_columns(self) -> tuple[str, ...]:
        """Controls, then treatments."""
        return (*self.controls.columns, *self.treatments.columns)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns whose values are names or dates."""
        columns = self.columns
        return tuple(name for name in (columns.week, columns.unit, columns.currency_column) if name)

    @property
    def number_columns(self) -> tuple[str, ...]:
        """Columns whose values must be numbers, each once."""
        media = [column for item in self.all_channels.values() for column in item.columns]
        names = (
            self.columns.outcome,
            self.revenue_column,
            self.columns.population,
            *media,
            *self.control_columns,
        )
        return tuple(dict.fromkeys(name for name in names if name))


def _columns_used_twice(spec: SiloSpec) -> list[str]:
    """One sentence per column with two roles. Price and population may also serve as a control."""
    roles: dict[str, list[str]] = {}
    uses = [(spec.columns.week, "week"), (spec.columns.unit, "unit"), (spec.columns.outcome, "outcome")]
    uses += [
        (column, f"channel {name}") for name, item in spec.all_channels.items() for column in item.columns
    ]
    uses += [(column, "controls") for column in spec.controls.columns]
    uses += [(column, "treatments") for column in spec.treatments.columns]
    for column, role in uses:
        if column:
            roles.setdefault(column, []).append(role)
    return [f"column {column!r} is used as {' and '.join(r)}" for column, r in roles.items() if len(r) > 1]
