"""Plans and what-if answers on the command line and from Python: the same numbers, and every refusal."""

import csv
import json
import shutil
from pathlib import Path

import pytest

import mixroom
from mmm_models.planning.goal_text import GoalsContradict
from mmm_models.planning.planning_errors import TargetUnreachable
from tests.small_run import CHANNELS, SmallRun, fit_small_run


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return fit_small_run(tmp_path_factory.mktemp("planned"))


@pytest.fixture(scope="module")
def last_total(small: SmallRun) -> float:
    return mixroom.plan(small.run).last.spend


def rows(text: str, table: int = 0) -> list[list[str]]:
    """One of the tables of an output, header included."""
    return [line.split() for line in text.split("\n\n")[table].splitlines()]


def printed(seen) -> dict:
    assert seen.code == 0, seen.err
    return json.loads(seen.out)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def bounds(folder: Path, text: str) -> Path:
    path = folder / "bounds.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_is_a_table_of_channels_and_one_of_splits(terminal, small):
    seen = terminal("plan", small.run, "--total", "+10%")

    channels, splits = rows(seen.out), rows(seen.out, 1)
    assert seen.code == 0
    assert channels[0][:5] == ["channel", "last", "spend", "spend", "change"]
    assert [row[0] for row in channels[1:]] == list(CHANNELS)
    assert [row[0] for row in splits[:4]] == ["split", "plan", "last", "as"]
    assert "mixroom: most revenue from" in seen.err
    assert "all else as it was" in seen.err
    assert "90% intervals, if the model's form is right" in seen.err


@pytest.mark.parametrize(
    ("words", "share"), [("+10%", 1.1), ("-5%", 0.95), ("110%", 1.1), ("{:.2f}", 1.02), (None, 1.0)]
)
def test_a_total_is_spent_whole_however_it_is_written(terminal, small, last_total, words, share):
    given = [] if words is None else ["--total", words.format(share * last_total)]
    answer = printed(terminal("plan", small.run, *given, "--json"))

    assert answer["format"] == "mixroom-plan/1"
    assert answer["planned"]["spend"] == pytest.approx(share * last_total, rel=1e-6)
    assert sum(cell["spend"] for cell in answer["cells"]) == pytest.approx(share * last_total, rel=1e-6)


@pytest.mark.parametrize("target", ["sales=+0.2%", "outcome=100.2%", "EUR=+0.2%"])
def test_a_target_for_sales_is_reached_with_less_than_all_limits_allow(terminal, small, last_total, target):
    answer = printed(terminal("plan", small.run, "--target", target, "--json"))

    assert answer["outcome"] == pytest.approx(1.002 * answer["last_outcome"], rel=1e-3)
    assert answer["planned"]["spend"] < 1.5 * last_total


def test_a_return_is_kept_and_a_marginal_return_is_where_spending_stops(terminal, small):
    free = ("--change-limit", "none", "--json")
    before = mixroom.plan(small.run)
    share = before.planned.roi * 1.05
    whole = printed(terminal("plan", small.run, "--target", f"roi={share:.4f}", *free))
    edge = printed(terminal("plan", small.run, "--target", f"marginal-roi={before.marginal_roi:.4f}", *free))

    assert whole["planned"]["roi"] == pytest.approx(share, rel=0.01)
    assert whole["planned"]["spend"] < before.planned.spend
    assert edge["marginal_roi"] == pytest.approx(before.marginal_roi, rel=0.02)


def test_limits_of_a_file_are_kept(terminal, small, tmp_path):
    file = bounds(
        tmp_path,
        'change = "40%"\n[channels.tv]\nceiling = "90%"\n[groups.digital]\n'
        'channels = ["search", "social"]\nfloor = "105%"\n',
    )
    cells = {
        cell["channel"]: cell
        for cell in printed(terminal("plan", small.run, "--bounds", file, "--json"))["cells"]
    }

    digital = [cells["search"], cells["social"]]
    assert cells["tv"]["spend"] <= 0.9 * cells["tv"]["last_spend"] * (1 + 1e-6)
    assert sum(cell["spend"] for cell in digital) >= 1.05 * sum(cell["last_spend"] for cell in digital) * (
        1 - 1e-6
    )
    assert all(0.6 - 1e-6 <= cell["spend"] / cell["last_spend"] <= 1.4 + 1e-6 for cell in digital)


def test_the_general_limit_of_change_can_be_tightened_and_lifted(terminal, small):
    near = printed(terminal("plan", small.run, "--change-limit", "1%", "--json"))
    far = printed(terminal("plan", small.run, "--change-limit", "none", "--json"))

    assert all(abs(cell["spend"] / cell["last_spend"] - 1) <= 0.01 + 1e-6 for cell in near["cells"])
    assert all(cell["floor"] == 0 for cell in far["cells"])
    assert far["planned"]["revenue"] >= near["planned"]["revenue"]


def test_money_is_moved_between_silos_where_the_run_knows_them(terminal, small, last_total):
    answer = printed(terminal("plan", small.run, "--by", "silo", "--json"))
    table = rows(terminal("plan", small.run, "--by", "silo").out)

    assert [row[0] for row in table[1:]] == [
        f"{silo}/{name}" for silo in ("silo-1", "silo-2") for name in CHANNELS
    ]
    assert answer["planned"]["spend"] == pytest.approx(last_total, rel=1e-6)


def test_a_silo_plans_for_its_own_units_with_the_shared_response_alone(terminal, small, tmp_path):
    """What came from others is `model.json`, which holds no row."""
    shutil.copy(small.run / "model.json", tmp_path)

    answer = printed(
        terminal("plan", tmp_path, "--silo", small.silos[0], "--by", "unit", "--total", "+5%", "--json")
    )

    assert len({cell["part"] for cell in answer["cells"]}) == 4
    assert answer["planned"]["spend"] == pytest.approx(1.05 * answer["last"]["spend"], rel=1e-6)


def test_a_runs_plan_needs_nothing_but_its_two_files(terminal, small, tmp_path):
    for name in ("model.json", "planning.json"):
        shutil.copy(small.run / name, tmp_path)

    alone = terminal("plan", tmp_path, "--total", "-5%", "--json")

    assert alone.out == terminal("plan", small.run, "--total", "-5%", "--json").out


def test_a_plan_of_weeks_spends_each_channels_money_in_them(terminal, small, tmp_path):
    seen = terminal("plan", small.run, "--weeks", "26", "--flight", "--out", tmp_path)
    planned, weekly = table_of(tmp_path / "plan.csv"), table_of(tmp_path / "flights.csv")

    assert seen.code == 0
    assert rows(seen.out, 2)[0][0] == "channel"
    for cell in planned:
        spent = [float(row["spend"]) for row in weekly if row["channel"] == cell["channel"]]
        assert len(spent) == 26
        assert sum(spent) == pytest.approx(float(cell["spend"]), rel=1e-6)


def test_what_is_written_is_what_is_printed(terminal, small, tmp_path):
    out = tmp_path / "plans" / "first"
    seen = terminal("plan", small.run, "--out", out, "--json")
    table = table_of(out / "plan.csv")

    assert (out / "plan.json").read_text(encoding="utf-8") == seen.out
    assert not (out / "flights.csv").exists()
    assert [float(row["spend"]) for row in table] == [cell["spend"] for cell in json.loads(seen.out)["cells"]]


def test_a_frontier_names_totals_and_risks(terminal, small, tmp_path):
    seen = terminal("plan", small.run, "--frontier", "--out", tmp_path)
    stored = json.loads((tmp_path / "frontier.json").read_text(encoding="utf-8"))

    labels = [point["label"] for point in (*stored["budgets"], *stored["risks"])]
    assert seen.code == 0
    assert "the same money" in labels
    assert [line for line in seen.out.split("\n\n")[0].splitlines()[1:] if line.startswith(tuple(labels))]
    assert {row["label"] for row in table_of(tmp_path / "frontier.csv")} == set(labels)


def test_what_if_says_what_changes_and_python_says_the_same(terminal, small):
    changes = {"social": "+20%", "search": "-10%"}
    flags = [word for name, amount in changes.items() for word in ("--change", f"{name}={amount}")]
    answer, shown = (
        printed(terminal("what-if", small.run, *flags, "--json")),
        terminal("what-if", small.run, *flags),
    )

    python = mixroom.what_if(small.run, changes)
    assert [row["change"] for row in answer["channels"]] == pytest.approx([0.0, -0.1, 0.2])
    assert answer["changed"]["gain"] == python.changed.gain
    assert mixroom.what_if(small.run, ["social=+20%", "search=-10%"]).changed == python.changed
    assert [row[:2] for row in rows(shown.out)[1:]] == [
        ["tv", "-"],
        ["search", "-10.0%"],
        ["social", "+20.0%"],
    ]


def test_what_if_takes_money_as_a_number_too(small):
    as_text, as_number = (mixroom.what_if(small.run, {"tv": amount}) for amount in ("50000", 50_000))

    assert as_number.changed == as_text.changed
    assert as_number.channels[0].spend == pytest.approx(50_000)


def test_python_plans_what_the_command_plans(terminal, small):
    command = printed(terminal("plan", small.run, "--total", "+10%", "--risk", "0.1", "--json"))
    python = mixroom.plan(str(small.run), total="+10%", risk=0.1)

    assert [cell.spend for cell in python.cells] == [cell["spend"] for cell in command["cells"]]
    assert command["risk"] == 0.1
    with pytest.raises(GoalsContradict):
        mixroom.plan(small.run, total=1.0, target="roi=1")
    with pytest.raises(TargetUnreachable):
        mixroom.plan(small.run, target="roi=500", limits={"change": "10%"})


def test_far_beyond_what_was_observed_is_answered_with_a_warning_and_a_wide_interval(terminal, small):
    def width(change: str) -> float:
        gain = printed(terminal("what-if", small.run, "--change", f"tv={change}", "--json"))["changed"]
        return gain["gain_interval"]["high"] - gain["gain_interval"]["low"]

    seen = terminal("what-if", small.run, "--change", "tv=1000%")

    assert seen.code == 0
    assert "review: Media would be higher than ever observed (tv " in seen.err
    assert width("1000%") > 10 * width("110%")


def refuse(terminal, *arguments: object, code: int = 1) -> str:
    """Error and hint as one text, which must not be empty words."""
    error, hint = terminal.refused(*arguments, code=code)
    assert hint != "see `mixroom --help`"
    return f"{error} / {hint}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--total", "+10%", "--target", "roi=3"], "contradict each other"),
        (["--frontier", "--total", "+10%"], "does not go with --total"),
    ],
)
def test_questions_that_do_not_go_together_are_wrong_usage(terminal, small, flags, words):
    assert words in refuse(terminal, "plan", small.run, *flags, code=2)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--total", "lots"], "'lots' is no total; nothing was planned / write an amount"),
        (["--total", "0"], "must be above 0"),
        (["--target", "profit=3"], "is no target; nothing was planned / write sales=+15%"),
        (["--target", "roi=+3%"], "is no target"),
        (["--total", "+900%", "--change-limit", "10%", "--bounds", "[channels.tv]\nceiling = 1\n"], "allow"),
        (["--target", "roi=500"], "a return of 500 is not reached"),
        (["--target", "sales=+500%"], "out of reach"),
        (["--risk", "2"], "a quantile between 0.05 and 0.95"),
        (["--weeks", "500"], "ask for 1 to"),
        (["--by", "unit"], "--by unit --silo FILE"),
        (["--bounds", "[channels.telly]\nfloor = 1\n"], "no channel 'telly'"),
        (["--bounds", "[parts.north]\nfloor = 1\n"], "its parts are all"),
        (["--bounds", "[channels.tv]\nfloor = -1\n"], "must be 0 or more"),
        (["--bounds", '[channels.tv]\nfloor = "120%"\nceiling = "80%"\n'], "lower the floor or raise the ceiling"),
        (["--change-limit", "much"], "such as '80%'"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused_with_what_would_work(terminal, small, tmp_path, flags, words):
    given = [bounds(tmp_path, flag) if flag.startswith("[") else flag for flag in flags]

    assert words in refuse(terminal, "plan", small.run, *given)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("serch=+10%", "did you mean 'search'?"),
        ("north/tv=+10%", "no part 'north'"),
        ("tv", "'tv' is no change"),
        ("tv=+5000", "adds money, which needs a percentage"),
        ("tv=-150%", "0 to 100 times can be asked"),
    ],
)
def test_a_change_that_says_nothing_is_refused(terminal, small, change, words):
    assert words in refuse(terminal, "what-if", small.run, "--change", change)


def test_a_file_of_limits_that_is_none_is_wrong_usage(terminal, small, tmp_path):
    assert "is no TOML file" in refuse(
        terminal, "plan", small.run, "--bounds", bounds(tmp_path, "[["), code=2
    )
    assert "No such file" in refuse(terminal, "plan", small.run, "--bounds", tmp_path / "none.toml")


def test_a_run_that_knows_too_little_says_what_it_lacks(terminal, small, tmp_path):
    together = small.without_silos(tmp_path / "together")
    unsure = small.unsure(tmp_path / "unsure")

    assert "mixroom plan RUN --silo FILE" in refuse(terminal, "plan", together, "--by", "silo")
    assert "no quantile can be planned for" in refuse(terminal, "plan", unsure, "--risk", "0.1")
    assert "nothing here has an interval" in terminal("plan", unsure).err


def test_a_run_that_is_missing_damaged_or_of_another_version_is_refused(terminal, small, tmp_path):
    old = small.copied(tmp_path / "old")
    (old / "planning.json").unlink()
    changed = small.copied(tmp_path / "changed")
    text = (changed / "planning.json").read_text(encoding="utf-8")
    (changed / "planning.json").write_text(text.replace("EUR", "USD"), encoding="utf-8")
    other = small.copied(tmp_path / "other")
    model = json.loads((other / "model.json").read_text(encoding="utf-8"))
    (other / "model.json").write_text(json.dumps({**model, "format": "mixroom-model/9"}), encoding="utf-8")

    assert "there is no run directory" in refuse(terminal, "plan", tmp_path / "none")
    assert "fit or train again" in refuse(terminal, "plan", old)
    assert "damaged or of another version" in refuse(terminal, "plan", changed)
    assert "damaged or of another version" in refuse(terminal, "what-if", other, "--change", "tv=+1%")


def test_a_silo_file_with_problems_is_reported_as_everywhere(terminal, small, tmp_path):
    missing = tmp_path / "none.toml"
    broken = tmp_path / "silo.toml"
    broken.write_text('silo = "north"\n', encoding="utf-8")

    assert "does not exist" in refuse(terminal, "plan", small.run, "--silo", missing, code=2)
    seen = terminal("plan", small.run, "--silo", broken)
    assert seen.code == 1
    assert "have problems, listed above" in seen.err


def test_a_simulated_run_is_told_what_its_plan_is_truly_worth(terminal, tmp_path):
    world, run = tmp_path / "world", tmp_path / "run"
    assert terminal("world", "geo", "--out", world).code == 0
    assert terminal("fit", *sorted(world.glob("silo-*.toml")), "--out", run).code == 0

    assert "a regret of" in terminal("plan", run, "--truth", world).err
    assert "no world is written" in refuse(terminal, "plan", run, "--truth", run)
    assert "--flight" in refuse(terminal, "plan", run, "--truth", world, "--flight", code=2)
