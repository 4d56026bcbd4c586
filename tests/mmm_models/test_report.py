"""The report page: complete, self-contained, safe to open, honest about what it does not know."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from mmm_models.errors import ModelError
from mmm_models.reporting.report import PrivacyBox, ReportInput, headline, render
from tests.mmm_models.report_samples import (
    ARMS,
    EXPERIMENTS,
    FAMILIES,
    FINDINGS,
    FULL,
    NOTHING,
    PLAIN,
    PRIVACY,
    RESULTS,
    ROUNDS,
    SURE,
    channel,
    with_channels,
    with_intervals,
    with_many_channels,
)

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Tags, attributes and visible text of a page; raises on a tag that is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.parts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).replace("\N{MINUS SIGN}", "-").split())


ALL_REPORTS = {
    "full": FULL,
    "sure": SURE,
    "families": FAMILIES,
    "plain": PLAIN,
    "nothing": NOTHING,
    "many": with_many_channels(13),
}


@pytest.fixture(scope="module", params=ALL_REPORTS)
def any_html(request: pytest.FixtureRequest) -> str:
    return render(ALL_REPORTS[request.param])


def test_the_headline_says_what_media_and_the_largest_channel_did() -> None:
    assert plain(headline(RESULTS)) == "Media contributed 22.0 % of sales; tv most (8.0 %)."


def test_an_outcome_that_is_not_money_is_not_called_sales() -> None:
    visits = replace(RESULTS, outcome_unit="visits")

    assert plain(headline(visits)) == "Media contributed 22.0 % of the outcome; tv most (8.0 %)."
    assert not re.search(r"\bsales\b", Page(render(replace(FULL, results=visits))).text)


def test_one_channel_is_not_the_most_of_many() -> None:
    assert plain(headline(with_channels(PLAIN, {"tv": 50_000.0}).results)) == (
        "Media contributed 5.0 % of sales, all of it through tv."
    )


def test_no_effect_is_said_plainly() -> None:
    assert headline(NOTHING.results) == "The model found no media effect on the outcome."


def test_pages_are_well_formed(any_html: str) -> None:
    assert {"main", "h1", "h2", "svg"} <= Page(any_html).tags | {"svg"}


def test_nothing_is_fetched_and_nothing_runs(any_html: str) -> None:
    page = Page(any_html)

    assert page.tags.isdisjoint({"script", "iframe", "object", "embed", "img", "form"})
    assert {value for name, value in page.attributes if name in {"src", "href", "action", "data"}} == {
        "data:,"
    }
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    assert "url(" not in any_html
    assert "@import" not in any_html
    assert "default-src 'none'" in any_html


def test_pages_stay_small() -> None:
    large = replace(
        with_many_channels(30), rounds=tuple(replace(ROUNDS[0], round=number) for number in range(300))
    )

    assert len(render(large).encode()) < 600_000


def test_the_same_input_gives_the_same_page() -> None:
    assert render(FULL) == render(FULL)


def test_texts_from_outside_never_become_markup() -> None:
    results = replace(
        with_intervals(RESULTS),
        outcome_unit=HOSTILE,
        currency=HOSTILE,
        channels=(channel(HOSTILE, 9_000.0),),
        model=HOSTILE,
        findings=(replace(FINDINGS[0], channels=(HOSTILE,), text=HOSTILE, advice=HOSTILE),),
        experiments=(replace(EXPERIMENTS[0], channel=HOSTILE, source=HOSTILE),),
    )
    report = ReportInput(
        title=HOSTILE,
        subtitle=HOSTILE,
        results=replace(results, curves=(replace(RESULTS.curves[0], channel=HOSTILE),)),
        privacy=replace(PRIVACY, unit=HOSTILE, left_silo=(HOSTILE,), not_covered=(HOSTILE,)),
        rounds=ROUNDS,
        truth=(replace(FULL.truth[0], channel=HOSTILE),),
        arms=tuple(replace(arm, name=HOSTILE, channel_errors={HOSTILE: 0.1}) for arm in ARMS),
        settings=((HOSTILE, HOSTILE),),
        notes=(HOSTILE,),
    )

    html = render(report)

    assert Page(html).tags.isdisjoint({"script", "img"})
    assert "<script" not in html
    assert "{{ 7 * 7 }}" in html  # shown as written, not evaluated
    assert [name for name, _ in Page(html).attributes if name.startswith("on")] == []


def test_what_is_not_known_is_shown_as_not_available(any_html: str) -> None:
    assert not re.search(r"\b(nan|NaN|None|inf)\b", Page(any_html).text)


def test_a_run_without_numbers_still_gives_a_page() -> None:
    assert "n/a" in Page(render(NOTHING)).text


@pytest.mark.parametrize(
    "expected",
    [
        "ε = 8.00, δ = 0.0001",
        "one store's whole series",
        "one store added or removed",
        "ε = 17.25",
        "privacy loss distributions (dp-accounting)",
        "noise multiplier 3.41; clip norm 0.0005",
        "masked sums modulo 2^64",
        "one masked update of 47 numbers",
        "A store that appears in two silos: its cost adds up.",
    ],
)
def test_the_privacy_box_states(expected: str) -> None:
    assert expected in Page(render(FULL)).text


def test_a_run_without_noise_says_so() -> None:
    box = PrivacyBox(mode="none", silos=4, secure_aggregation="masked sums")
    text = Page(render(replace(FULL, privacy=box))).text

    assert "None: results and every round's sum depend on the data without noise." in text
    assert "no noise 4 silos" in text
    assert "Accountant" not in text


@pytest.mark.parametrize("missing", [{"epsilon": None}, {"delta": None}, {"unit": ""}, {"accountant": ""}])
def test_a_privacy_promise_with_a_hole_is_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="must name unit, epsilon, delta and accountant"):
        replace(PRIVACY, **missing)


def test_single_units_are_never_named() -> None:
    assert RESULTS.holdout.per_unit[0].unit == "secret-store-7"
    assert "secret-store-7" not in render(FULL)


def test_private_totals_are_flagged() -> None:
    private = replace(RESULTS, private=True, holdout=replace(RESULTS.holdout, rmse=math.nan))

    assert "carry privacy noise" in render(replace(FULL, results=private))
    assert "carry privacy noise" not in render(FULL)


def test_every_number_of_the_comparison_is_on_the_page() -> None:
    text = Page(render(FULL)).text

    assert (
        "Federated + secure aggregation + differential privacy 0.92 9.2 % -3 % 7.1 % 5.6 % 8.00 17 s 1.43 MB"
        in text
    )


def test_what_the_data_cannot_tell_is_on_the_page_with_what_to_do() -> None:
    text = Page(render(SURE)).text

    assert (
        "What the data cannot tell Read display and social with care: 1 finding to look into. "
        "review display and social cannot be told apart: they run together in most weeks. "
        "Read their sum, or switch one of them off somewhere for some weeks. "
        "note A typical unit has 80 training weeks: most seasons are seen once. Give 104 weeks."
    ) in text


def test_experiments_stand_on_the_page_beside_the_model() -> None:
    text = Page(render(SURE)).text

    assert "Experiments For display, 1 of 2 experiments contradicts what the model says without them." in text
    assert "12.0 k ± 1.50 k" in text
    assert "9.00 k ± 1.50 k → 3.00 k" in text


def test_every_page_says_what_family_of_models_it_is_from() -> None:
    ridge = replace(PLAIN, results=replace(RESULTS, model="ridge"))

    assert "model: neural (the neural MMM" in Page(render(PLAIN)).text
    assert "model: ridge (ridge regression" in Page(render(ridge)).text


def test_several_families_have_a_section_of_their_own() -> None:
    text = Page(render(FAMILIES)).text

    assert "Models side by side neural is closest to the truth" in text
    assert "ridge 1.50 15.0 % -3 % n/a 6.8 %" in text
    assert "Models side by side" not in Page(render(FULL)).text


def test_one_way_of_training_beside_other_families_is_no_comparison_of_ways() -> None:
    arms = (FAMILIES.arms[0], *FAMILIES.arms[2:])

    assert "What privacy and federation cost" not in Page(render(replace(FAMILIES, arms=arms))).text


def test_sections_without_content_are_left_out() -> None:
    text = Page(render(PLAIN)).text

    assert not re.search(r"\b(Training|Not covered|Settings|Notes|True share|Epsilon|interval)\b", text)
    assert not re.search(r"Experiments|What the data cannot tell|side by side", text)
    assert "Health checks" in text


def test_a_report_needs_a_title() -> None:
    with pytest.raises(ModelError, match="title"):
        replace(PLAIN, title="")


def plain(text: str) -> str:
    return text.replace("\xa0", " ")
