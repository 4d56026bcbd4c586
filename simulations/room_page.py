"""The room's story as one self-contained HTML page, in the look of the model's report; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmm_models.reporting.report import TEMPLATES as REPORT_TEMPLATES
from simulations.room_story import RoomStory

TEMPLATES = Path(__file__).with_name("templates")
TALL_ROWS = 10  # a longer table leaves room for two beside it
PROTECTED = (
    ("From the other partners", "Addresses and rows. They learn the numbers that the owner's rules let out."),
    (
        "From the agency",
        "The same; it cannot see one person, however it asks in the ways the room understands.",
    ),
    (
        "From the service",
        "Addresses, the collaboration's key, the tables' keys. It stores sealed tables and signed rules; each owner's "
        "broker gives a key to an attested worker only, for one question.",
    ),
)
NOT_PROTECTED = (
    "The enclave is emulated: whoever is root on its machine, or acts as the service there, can look into it while it "
    "has a table open.",
    "Minimum group sizes do not stop someone who already knows all members of a group but one; noise does.",
    "Every owner holds the collaboration's key and can test whether a token belongs to an address it guesses.",
    "Nobody can check that a partner's table is true.",
)


def room_page(story: RoomStory) -> str:
    """The page. Every text in `story` is escaped."""
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(REPORT_TEMPLATES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("room.html.j2").render(
        story=story,
        protected=PROTECTED,
        not_protected=NOT_PROTECTED,
        tall_rows=TALL_ROWS,
        markup=Markup,  # pictures are drawn here, with every name in them escaped
    )
