"""E-mail addresses as partners really have them: one person, several spellings, and some rows with none."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Codes = NDArray[np.int64]

UNUSABLE = ("", "n/a", "unknown", "anna.example.com", "two words@example.com", "info@", "@example.net")
_FIRST = (
    "anna",
    "bruno",
    "carla",
    "dimitri",
    "elif",
    "femke",
    "giulia",
    "hugo",
    "ines",
    "jonas",
    "kaja",
    "luca",
)
_LAST = ("adler", "baumann", "costa", "dubois", "eriksen", "fischer", "garcia", "horvat", "ivanova", "jansen")
_GMAIL = "gmail.com"
_DOMAINS = (_GMAIL, _GMAIL, _GMAIL, "example.com", "example.org", "example.net", "mail.example.com")
_TAGS = ("+shop", "+news", "+offers")
_MESSY_SHARE = 0.35


def plain_addresses(people: Codes) -> pa.Array:
    """The address that all spellings of a person mean, under UID2's and Google's rules; no two people share one."""
    first, last, number, domain = _parts(people)
    local = pc.binary_join_element_wise(first, last, "")
    dotted = pc.binary_join_element_wise(first, last, ".")
    name = pc.if_else(pc.equal(domain, _GMAIL), local, dotted)
    return pc.binary_join_element_wise(pc.binary_join_element_wise(name, number, ""), domain, "@")


def spelt_addresses(people: Codes, rng: np.random.Generator) -> pa.Array:
    """The address of each of `people`, spelt as somebody typed it: capitals, spaces at the ends, and where it is the
    same mailbox (gmail.com) other dots and a +tag. Only normalising makes one person of them."""
    first, last, number, domain = _parts(people)
    is_gmail = pc.equal(domain, _GMAIL)
    style = rng.random(len(people))
    retagged = pa.array(style < _MESSY_SHARE / 2)
    dot = pc.if_else(pc.and_(is_gmail, retagged), "", ".")
    tag = pc.if_else(
        pc.and_(is_gmail, retagged), _texts(_TAGS, rng.integers(len(_TAGS), size=len(people))), ""
    )
    local = pc.binary_join_element_wise(first, dot, last, number, tag, "")
    address = pc.binary_join_element_wise(local, domain, "@")
    capitals = pa.array((style > _MESSY_SHARE / 2) & (style < _MESSY_SHARE))
    address = pc.if_else(capitals, pc.utf8_upper(address), address)
    return pc.if_else(pa.array(style > 0.97), pc.binary_join_element_wise(" ", address, " ", ""), address)


def _parts(people: Codes) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """First name, last name, number and domain; the number alone tells two people apart."""
    return (
        _texts(_FIRST, people % len(_FIRST)),
        _texts(_LAST, people // 5 % len(_LAST)),
        pc.cast(pa.array(people), pa.string()),
        _texts(_DOMAINS, people // 3 % len(_DOMAINS)),
    )


def _texts(choices: tuple[str, ...], codes: Codes) -> pa.Array:
    return pc.take(pa.array(choices), pa.array(codes))
