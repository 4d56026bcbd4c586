"""Size and soundness of a whole plan, whoever wrote it: a plan that passes can be walked, typed and run in bounds."""

from __future__ import annotations

from cleanroom.query.constant_rules import LARGEST_NUMBER, LONGEST_TEXT
from cleanroom.query.expressions import Call, Constant, Node, arity_fits, size_of
from cleanroom.query.plan import CellJoin, Cells, CellSelect, CellStack, Plan, Relation, Released, scans_of
from cleanroom.query.refusal import Refused

MOST_NODES = 6_000
MOST_DEPTH = 120
MOST_RELEASES = 8
MOST_SCANS = 12  # of one release
MOST_KEYS, MOST_SETS, MOST_MEASURES = 16, 32, 32
MOST_RELEASED_USES = 24
LONGEST_TITLE = 200


def require_bounded(plan: Plan) -> None:
    """Raises Refused for a plan that is too large, or that names a release or function argument that is not there."""
    if size_of(plan, most=MOST_NODES) > MOST_NODES:
        raise Refused("too_large", "the query has too many parts", "split it into several queries")
    _require_depth(plan)
    if not 1 <= len(plan.releases) <= MOST_RELEASES:
        raise Refused(
            "too_many_releases",
            f"the query releases no table, or more than {MOST_RELEASES}",
            "count several things in one SELECT, or ask several queries",
        )
    for release in plan.releases:
        require_few_scans(release.source)
        sizes = (len(release.keys), len(release.grouping_sets), len(release.measures))
        if any(size > most for size, most in zip(sizes, (MOST_KEYS, MOST_SETS, MOST_MEASURES), strict=True)):
            raise Refused(
                "too_large", "a release has too many keys, grouping sets or numbers", "ask for fewer"
            )
    if any(len(title) > LONGEST_TITLE for title in plan.titles):
        raise Refused("too_large", "a column of the result has too long a name", "shorten it")
    uses = list(_released(plan.result))
    if len(uses) > MOST_RELEASED_USES or any(use.release >= len(plan.releases) for use in uses):
        raise Refused(
            "too_large", "released tables are used too often, or are not there", "use each fewer times"
        )


def require_few_scans(relation: Relation) -> None:
    """Raises Refused for a relation that reads too many tables at once."""
    if len(scans_of(relation)) > MOST_SCANS:
        raise Refused(
            "too_many_tables", f"one result reads more than {MOST_SCANS} tables at once", "join fewer tables"
        )


def _require_depth(plan: Plan) -> None:
    open_nodes: list[tuple[object, int]] = [(plan, 0)]
    while open_nodes:
        node, depth = open_nodes.pop()
        if depth > MOST_DEPTH:
            raise Refused("too_deep", "the query is nested too deep", "flatten it")
        if isinstance(node, tuple):
            open_nodes += [(item, depth) for item in node]
        elif isinstance(node, Node):
            _require_sound(node)
            open_nodes += [(getattr(node, name), depth + 1) for name in type(node).model_fields]


def _require_sound(node: Node) -> None:
    if isinstance(node, Call) and not arity_fits(node.function, len(node.arguments)):
        raise Refused(
            "arguments", f"{node.function} has too few or too many arguments", "see docs/clean-room.md"
        )
    if isinstance(node, Constant):
        value = node.value
        long = isinstance(value, str) and (len(value) > LONGEST_TEXT or "\0" in value)
        if long or (isinstance(value, int | float) and abs(value) > LARGEST_NUMBER):
            raise Refused("literal", "a literal is too long or too large", "use a smaller one")


def _released(cells: Cells) -> list[Released]:
    match cells:
        case Released():
            return [cells]
        case CellJoin(left=left, right=right):
            return [*_released(left), *_released(right)]
        case CellSelect(source=source):
            return _released(source)
        case CellStack(branches=branches):
            return [use for branch in branches for use in _released(branch)]
