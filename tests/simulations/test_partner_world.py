"""Partners' tables: about the same people, adding up to the demo world, with a known effect of an experiment."""

import json
import time

import numpy as np
import pandas as pd
import pyarrow.csv as pa_csv
import pytest

from cleanroom.rules.analysis_rule import Mode, Role
from privacy.errors import IdentifierRefused
from privacy.identifier_rules import IdentifierKind, IdentifierRule, normalise
from simulations.errors import WorldNotWritten
from simulations.partner_emails import UNUSABLE, plain_addresses, spelt_addresses
from simulations.partner_files import TABLES, write_partner_world
from simulations.partner_rules import RULE_TEXTS, rule_document
from simulations.partner_world import PartnerWorld, PartnerWorldSpec, make_partner_world
from simulations.scenario import load_scenario
from simulations.world import make_world

OWN_COLUMNS = {
    "exposures": ["campaign", "channel", "ts", "cost"],
    "conversions": ["order_id", "ts", "value"],
    "crm": ["segment", "region", "age_band", "cell"],
}


@pytest.fixture(scope="module")
def world() -> PartnerWorld:
    return make_partner_world(PartnerWorldSpec())


@pytest.fixture(scope="module")
def people(world: PartnerWorld) -> dict[str, pd.DataFrame]:
    """The tables as partners would upload them: unusable rows left out, one spelling per person."""
    return {name: _normalised(getattr(world.tables, name).to_pandas()) for name in TABLES}


def _normalised(table: pd.DataFrame) -> pd.DataFrame:
    spellings = {raw: _person(raw) for raw in table.email.unique()}
    named = table.assign(person=table.email.map(spellings))
    return named[named.person.notna()]


def _person(raw: str) -> str | None:
    try:
        return normalise(raw, IdentifierKind.EMAIL, IdentifierRule.UID2)
    except IdentifierRefused:
        return None


# --- the demo world -------------------------------------------------------------------------------------


def test_what_exposures_cost_is_the_silos_spend_in_every_week_and_channel(world, people):
    """One factor for all; costs are rounded to 0.0001, which leaves less than a thousandth of a week's total."""
    panel = make_world(load_scenario("demo")).silos[0].panel
    first = int(np.flatnonzero(panel.weeks.astype("datetime64[D]") == world.weeks.start)[0])
    spend = panel.spend.sum(axis=0)[first : first + 8]
    exposures = people["exposures"]
    week = (exposures.ts - pd.Timestamp(world.weeks.start)).dt.days // 7

    cost = exposures.pivot_table(index=week, columns="channel", values="cost", aggfunc="sum", fill_value=0.0)[
        list(panel.channel_names)
    ].to_numpy()

    assert cost / cost.sum() == pytest.approx(spend / spend.sum(), rel=1e-3)


def test_what_is_bought_follows_the_silos_sales(world, people):
    panel = make_world(load_scenario("demo")).silos[0].panel
    first = int(np.flatnonzero(panel.weeks.astype("datetime64[D]") == world.weeks.start)[0])
    sales = panel.outcome.sum(axis=0)[first : first + 8]
    conversions = people["conversions"]
    week = (conversions.ts - pd.Timestamp(world.weeks.start)).dt.days // 7

    value = conversions.groupby(week).value.sum().to_numpy()

    assert value / value.sum() == pytest.approx(sales / sales.sum(), rel=1e-4)


def test_every_channel_of_the_demo_world_is_seen(people):
    assert set(people["exposures"].channel) == set(load_scenario("demo").channel_names)


# --- the experiment -------------------------------------------------------------------------------------


def test_the_control_group_sees_no_ad_of_the_experiments_campaign(world, people):
    control = people["crm"].query("cell == 'control'").person
    ads = people["exposures"][people["exposures"].person.isin(control)]

    assert world.truth.campaign not in set(ads.campaign)
    assert set(ads.campaign) == {"brand", "clearance"}


def test_the_measured_lift_lies_around_the_truth(world, people):
    """Difference of two shares of about 6,000 people each; four standard errors."""
    crm = people["crm"]
    bought = crm.person.isin(people["conversions"].person)
    share, count = bought.groupby(crm.cell).mean(), crm.groupby("cell").size()

    error = np.sqrt(sum(share[cell] * (1 - share[cell]) / count[cell] for cell in ("test", "control")))

    assert abs(share.test - share.control - world.truth.incremental_conversion_rate) < 4 * error
    assert share.control == pytest.approx(world.truth.conversion_rate_without, abs=0.02)


def test_without_lift_nothing_is_incremental():
    truth = make_partner_world(PartnerWorldSpec(people=2000, lift=0.0)).truth

    assert (truth.incremental_conversion_rate, truth.incremental_value) == (0.0, 0.0)


def test_the_truth_is_the_mean_over_many_drawings_of_what_is_measured():
    """Randomisation makes the difference between the cells unbiased: 20 worlds, three standard errors of their mean."""
    errors = []
    for seed in range(20):
        world = make_partner_world(PartnerWorldSpec(people=3000, seed=seed, lift=0.4))
        crm, bought = (
            _normalised(getattr(world.tables, name).to_pandas()) for name in ("crm", "conversions")
        )
        crm = crm[crm.cell != "none"]
        value = bought.groupby("person").value.sum().reindex(crm.person).fillna(0.0).to_numpy()
        test = crm.cell.to_numpy() == "test"
        errors.append(value[test].mean() - value[~test].mean() - world.truth.incremental_value)

    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))


# --- people ---------------------------------------------------------------------------------------------


def test_overlaps_are_those_of_the_tables(world, people):
    publisher, retailer, advertiser = (set(people[name].person) for name in TABLES)
    overlap = world.truth.overlap

    assert overlap.publisher_and_retailer == len(publisher & retailer)
    assert overlap.publisher_and_advertiser == len(publisher & advertiser)
    assert overlap.retailer_and_advertiser == len(retailer & advertiser)
    assert overlap.all_three == len(publisher & retailer & advertiser)
    assert (overlap.publisher, overlap.retailer, overlap.advertiser) == tuple(
        len(people[name].person.unique()) for name in TABLES
    )


def test_spellings_are_many_and_normalise_to_one_address_each():
    numbers = np.repeat(np.arange(300), 30)
    spelt = spelt_addresses(numbers, np.random.default_rng(1)).to_pylist()

    assert len(set(spelt)) > 2 * 300
    assert [_person(raw) for raw in spelt] == plain_addresses(numbers).to_pylist()


def test_no_two_people_share_an_address():
    assert len(set(plain_addresses(np.arange(50_000)).to_pylist())) == 50_000


@pytest.mark.parametrize("raw", UNUSABLE)
def test_unusable_addresses_do_not_normalise(raw):
    assert _person(raw) is None


def test_some_rows_have_no_usable_address(world, people):
    for name in TABLES:
        assert len(people[name]) < getattr(world.tables, name).num_rows < 1.01 * len(people[name])


def test_one_segment_is_too_small_to_be_reported(people):
    sizes = people["crm"].segment.value_counts()

    assert sizes["staff"] == 30
    assert set(people["crm"].query("segment == 'staff'").cell) == {"none"}
    assert sizes.drop("staff").min() > 1000


# --- making and writing ---------------------------------------------------------------------------------


def test_the_seed_fixes_every_row(world):
    again, other = (make_partner_world(PartnerWorldSpec(seed=seed)) for seed in (1, 2))

    assert all(getattr(again.tables, name).equals(getattr(world.tables, name)) for name in TABLES)
    assert not other.tables.crm.equals(world.tables.crm)


def test_twenty_thousand_people_take_well_under_a_second():
    begin = time.process_time()
    make_partner_world(PartnerWorldSpec())

    assert time.process_time() - begin < 1.5  # half a second on an idle machine


def test_tables_are_written_as_partners_would_have_them(world, tmp_path):
    files = write_partner_world(world, tmp_path / "partners")

    for name, columns in OWN_COLUMNS.items():
        assert pa_csv.read_csv(files.csv(name)).column_names == ["email", *columns]
        assert pd.read_parquet(files.parquet(name)).shape == (
            getattr(world.tables, name).num_rows,
            len(columns) + 1,
        )
    truth = json.loads(files.truth.read_text(encoding="utf-8"))
    assert truth["incremental_conversion_rate"] == world.truth.incremental_conversion_rate
    assert truth["overlap"]["all_three"] == world.truth.overlap.all_three


@pytest.mark.parametrize("name", RULE_TEXTS)
def test_rules_name_every_column_that_is_uploaded_and_ask_for_fifty_people(name):
    document = rule_document(name)

    assert list(document.columns) == ["user_hash", *OWN_COLUMNS[document.dataset]]
    assert document.columns["user_hash"].role is Role.IDENTITY
    assert document.rule.min_group_size == 50
    assert document.rule.privacy is (Mode.DP if "-dp" in name else Mode.THRESHOLD)


def test_all_values_of_a_dimension_are_named_in_its_rules(people):
    for name in ("exposures", "crm"):
        for column, rule in rule_document(f"{name}.rules.toml").columns.items():
            if rule.values:
                assert set(people[name][column]) <= set(rule.values)


def test_a_folder_that_cannot_be_written_is_named(world, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(WorldNotWritten, match="cannot write"):
        write_partner_world(world, tmp_path / "file" / "partners")
