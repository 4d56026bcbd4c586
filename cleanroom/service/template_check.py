"""A proposed template must name every dataset that its text reads, since their owners are who is asked to sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.errors import ProposalInvalid, Reason
from cleanroom.query.named_tables import named_tables
from cleanroom.query.refusal import Refused


def datasets_in(sql: str, known: frozenset[str]) -> tuple[str, ...]:
    """Every known dataset that the text names as a table, sorted. Raises ProposalInvalid when there is none.

    A name that the text gives to a subquery of its own counts too: rather one owner too many than one too few.
    """
    try:
        named = named_tables(sql)
    except Refused as error:
        reason = error.reason
        raise ProposalInvalid(
            "the template's text is not a query", hint=reason.fix, reasons=[reason]
        ) from error
    if not named & known:
        raise ProposalInvalid(
            "the template reads no dataset of this collaboration",
            hint="list the datasets, and adapt its text",
        )
    return tuple(sorted(named & known))


def require_whole_template(content: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise ProposalInvalid unless the content is a template that names exactly the datasets it reads."""
    template = content.get("template")
    sql = template.get("sql") if isinstance(template, Mapping) else None
    if not isinstance(sql, str):
        raise ProposalInvalid("a template has its text in `sql`", hint="docs/clean-room.md shows one")
    reads = datasets_in(sql, known)
    listed = content.get("datasets")
    if not isinstance(listed, list | tuple) or sorted(map(str, listed)) != list(reads):
        told = ", ".join(reads) or "none"
        raise ProposalInvalid(
            f"the template reads other datasets than it lists; it reads {told}",
            hint="list exactly these",
            reasons=[Reason("template_datasets", f"it reads {told}", "list exactly these")],
        )
