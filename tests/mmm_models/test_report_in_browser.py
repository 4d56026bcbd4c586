"""The report in a real browser: printed pages, labels that do not collide, no scroll bars.

Needs a Chromium; without one these tests are skipped.
"""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mmm_models.reporting.report import ReportInput, render
from tests.mmm_models.report_samples import (
    FAMILIES,
    FULL,
    NOISE,
    NOTHING,
    PLAIN,
    RESULTS,
    SURE,
    with_many_channels,
)
from tests.mmm_models.told_samples import told_reports

pytestmark = pytest.mark.slow

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--no-pdf-header-footer"),
)
VISITS = replace(PLAIN, results=replace(RESULTS, outcome_unit="visits", currency=""))
REPORTS = {
    "full": FULL,
    "sure": SURE,
    "families": FAMILIES,
    "noise": NOISE,
    "plain": PLAIN,
    "visits": VISITS,
    "nothing": NOTHING,
    "many": with_many_channels(13),
    **told_reports(),
}

# Boxes of all labels of every picture, in pixels; a pixel of overlap is anti-aliasing.
MEASURE = """<script>
document.querySelectorAll('details').forEach(fold => fold.open = true);
const box = shape => { const b = shape.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] };
const pictures = [...document.querySelectorAll('svg')].map(svg => ({frame: box(svg),
  labels: [...svg.querySelectorAll('text')].map(t => ({text: t.lastChild.textContent, box: box(t)}))}));
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.body.innerHTML = '';
document.body.append('MEASURED' + JSON.stringify({pictures, wide}) + 'END');
</script></body>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium is installed")


def run(chromium: str, html: str, folder: Path, *arguments: str) -> str:
    """What the browser prints when it opens `html`."""
    page = folder / "report.html"
    page.write_text(html, encoding="utf-8")
    command = [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def printed_pages(chromium: str, report: ReportInput, folder: Path, *, font: str = "") -> int:
    html = render(report).replace("-apple-system,", f"'{font}'," if font else "-apple-system,")
    run(chromium, html, folder, f"--print-to-pdf={folder / 'report.pdf'}")
    return len(re.findall(rb"/Type /Page\b", (folder / "report.pdf").read_bytes()))


@pytest.mark.parametrize("font", ["", "DejaVu Sans"])
def test_five_channels_print_on_two_pages(chromium: str, tmp_path: Path, font: str) -> None:
    """Also in a wide face, as on a machine with few fonts."""
    assert printed_pages(chromium, FULL, tmp_path, font=font) == 2


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("sure", 3),
        ("families", 2),
        ("noise", 3),
        ("plain", 2),
        ("nothing", 1),
        ("many", 4),
        ("planned", 5),
        ("crowded", 7),
    ],
)
def test_other_runs_print_on_few_pages(chromium: str, tmp_path: Path, name: str, most: int) -> None:
    assert 1 <= printed_pages(chromium, REPORTS[name], tmp_path) <= most


@pytest.mark.parametrize(("width", "font"), [(1100, "Arial"), (520, "Arial"), (1100, "DejaVu Sans")])
@pytest.mark.parametrize("name", REPORTS)
def test_labels_stay_inside_and_apart(
    chromium: str, tmp_path: Path, name: str, width: int, font: str
) -> None:
    page = re.sub("<meta http-equiv=[^>]*>", "", render(REPORTS[name]))
    html = page.replace("-apple-system,", f"'{font}',").replace("</body>", MEASURE)

    dumped = run(chromium, html, tmp_path, "--dump-dom", f"--window-size={width},1400")

    measured = json.loads(
        dumped.split("MEASURED")[1].split("END")[0].replace("&lt;", "<").replace("&amp;", "&")
    )
    assert sum(len(picture["labels"]) for picture in measured["pictures"]) >= 4
    assert measured["wide"] == 0
    assert [finding for picture in measured["pictures"] for finding in collisions(picture)] == []


def test_the_check_for_collisions_can_fail() -> None:
    labels = [{"text": "a", "box": [0, 0, 20, 10]}, {"text": "b", "box": [15, 5, 40, 15]}]

    assert collisions({"frame": [0, 0, 30, 20], "labels": labels}) == ["b leaves its picture", "a meets b"]


def collisions(picture: dict) -> list[str]:
    """Labels that leave the picture or meet another label."""
    labels, (left, top, right, bottom) = picture["labels"], picture["frame"]
    found = []
    for item in labels:
        x1, y1, x2, y2 = item["box"]
        if x1 < left - 1 or y1 < top - 2 or x2 > right + 1 or y2 > bottom + 2:
            found.append(f"{item['text']} leaves its picture")
    for index, first in enumerate(labels):
        found += [
            f"{first['text']} meets {other['text']}" for other in labels[index + 1 :] if _meet(first, other)
        ]
    return found


def _meet(first: dict, other: dict) -> bool:
    (a1, b1, a2, b2), (c1, d1, c2, d2) = first["box"], other["box"]
    across, down = min(a2, c2) - max(a1, c1), min(b2, d2) - max(b1, d1)
    return across > 1 and down > 0.35 * min(b2 - b1, d2 - d1)  # boxes of lines hold their leading too
