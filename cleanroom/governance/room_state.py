"""Who is in a collaboration and under which rules, as values; who must sign what; what a proposal changes.

The service decides with these functions, and any member repeats its decisions offline from the signed documents
(`record.verify_record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cleanroom.errors import Conflict, Forbidden, NotFound, RoomError
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import Content, Membership, Removal, Rules, Template
from cleanroom.rules.analysis_rule import ANY, RuleDocument
from privacy.canonical_json import digest_of
from privacy.party_keys import PublicKeys


@dataclass(frozen=True)
class Standing:
    """A member that has not been removed."""

    roles: frozenset[MemberRole]
    keys: PublicKeys


@dataclass(frozen=True)
class OwnedRules:
    """A dataset's document in force; a closed dataset has lost its owner and is never opened again."""

    owner: str
    document: RuleDocument
    closed: bool = False


@dataclass(frozen=True)
class RoomState:
    """A collaboration at one moment.

    former: names of removed members, which nobody may take again. templates: the datasets that each one reads.
    Only a record that was replayed has former_keys, of every removed member, and template_digests: name and text of
    each template, as workers state it.
    """

    collaboration: str
    members: Mapping[str, Standing]
    rules: Mapping[str, OwnedRules] = field(default_factory=dict)
    invited: Mapping[str, Membership] = field(default_factory=dict)
    former: frozenset[str] = frozenset()
    former_keys: Mapping[str, PublicKeys] = field(default_factory=dict)
    templates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    template_digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def owners(self) -> frozenset[str]:
        """Every member with the role owner."""
        return frozenset(name for name, one in self.members.items() if MemberRole.OWNER in one.roles)

    def open_rules(self, dataset: str) -> OwnedRules:
        """The rules in force of a dataset that is not closed. Raises NotFound."""
        owned = self.rules.get(dataset)
        if owned is None or owned.closed:
            raise NotFound(
                "a dataset that is named has no rules in this collaboration",
                hint="its owner proposes rules for it first",
            )
        return owned

    def template_datasets(self, digest: str) -> tuple[str, ...]:
        """The datasets whose owners approved the template of this name and text; none when it is not in force."""
        return next(
            (self.templates[name] for name, known in self.template_digests.items() if known == digest), ()
        )


def required_signers(state: RoomState, content: Content) -> frozenset[str]:
    """The owners who must all have signed before `content` takes effect."""
    match content:
        case Template():
            replaced = (state.rules[dataset] for dataset in state.templates.get(content.name, ()))
            before = {owned.owner for owned in replaced if not owned.closed}
            return frozenset({*before, *(state.open_rules(dataset).owner for dataset in content.datasets)})
        case Rules():
            return _affected_by_rules(state, content.document)
        case _:
            return state.owners


def require_proposable(state: RoomState, content: Content, proposer: str) -> None:
    """Raise Forbidden, NotFound or Conflict unless `proposer` may propose `content` now."""
    standing = state.members.get(proposer)
    if standing is None:
        raise Forbidden("only members propose", hint="join the collaboration first")
    roles = standing.roles
    leaves = isinstance(content, Removal) and content.member == proposer
    may = {MemberRole.OWNER, MemberRole.ANALYST} if isinstance(content, Template) else {MemberRole.OWNER}
    if roles.isdisjoint(may) and not leaves:
        raise Forbidden("your role does not allow this proposal", hint="ask an owner to propose it")
    _require_consistent(state, content, proposer)


def applied(state: RoomState, content: Content, proposer: str) -> RoomState:
    """The collaboration after `content` took effect. Raises Conflict or NotFound when it no longer fits."""
    _require_consistent(state, content, proposer)
    match content:
        case Membership():
            return _with_membership(state, content)
        case Removal():
            return _without(state, content.member)
        case Rules():
            owned = OwnedRules(proposer, content.document)
            return replace(state, rules={**state.rules, content.document.dataset: owned})
        case Template():
            required_signers(state, content)
            return _with_template(state, content)


def joined(state: RoomState, name: str, keys: PublicKeys) -> RoomState:
    """The collaboration after an invited party accepted. Raises Forbidden unless all owners signed for it."""
    invited = state.invited.get(name)
    if invited is None or name in state.members:
        raise Forbidden("nobody of this name was invited", hint="ask an owner for an invitation")
    if keys.name != name or (invited.fingerprint and invited.fingerprint != keys.fingerprint):
        raise Forbidden(
            "the owners signed for another party's keys",
            hint="accept with the keys whose fingerprint you told them",
        )
    if any(keys.signing == one.keys.signing for one in state.members.values()):
        raise Conflict("another member has this signing key", hint="every party makes keys of its own")
    rest = {one: invitation for one, invitation in state.invited.items() if one != name}
    return replace(state, members={**state.members, name: Standing(invited.roles, keys)}, invited=rest)


def _affected_by_rules(state: RoomState, document: RuleDocument) -> frozenset[str]:
    before = state.rules.get(document.dataset)
    if before is None:
        return frozenset()  # the owner, who proposes it, signs anyway
    mine = (*before.document.rule.joins, *document.rule.joins)
    others = {
        owned.owner
        for name, owned in state.rules.items()
        if not owned.closed
        and name != document.dataset
        and (_names(mine, name) or _names(owned.document.rule.joins, document.dataset))
    }
    return frozenset({before.owner, *others})


def _names(joins: tuple[str, ...], dataset: str) -> bool:
    return ANY in joins or dataset in joins


def _require_consistent(state: RoomState, content: Content, proposer: str) -> None:
    match content:
        case Membership():
            if content.member in state.former:
                raise _taken("a removed member bore this name")
            if state.owners == {content.member} and MemberRole.OWNER not in content.roles:
                raise _last_owner()
        case Removal():
            if content.member not in state.members:
                raise NotFound("no member bears this name", hint="look at the collaboration's members")
            if state.owners == {content.member}:
                raise _last_owner()
        case Rules():
            owned = state.rules.get(content.document.dataset)
            if owned is not None and (owned.owner != proposer or owned.closed):
                raise _taken("the dataset is another owner's")
        case Template():
            required_signers(state, content)


def _with_membership(state: RoomState, content: Membership) -> RoomState:
    standing = state.members.get(content.member)
    if standing is None:
        return replace(state, invited={**state.invited, content.member: content})
    if content.fingerprint and content.fingerprint != standing.keys.fingerprint:
        raise Conflict("the member has other keys than those", hint="leave the fingerprint out")
    owned = any(one.owner == content.member and not one.closed for one in state.rules.values())
    if owned and MemberRole.OWNER not in content.roles:
        raise Conflict("the member owns datasets", hint="propose its removal, which destroys them")
    changed = replace(standing, roles=content.roles)
    return replace(state, members={**state.members, content.member: changed})


def _with_template(state: RoomState, content: Template) -> RoomState:
    digest = digest_of({"name": content.name, "sql": content.template.get("sql")})
    return replace(
        state,
        templates={**state.templates, content.name: tuple(content.datasets)},
        template_digests={**state.template_digests, content.name: digest},
    )


def _without(state: RoomState, member: str) -> RoomState:
    members = {name: one for name, one in state.members.items() if name != member}
    rules = {
        name: replace(owned, closed=True) if owned.owner == member else owned
        for name, owned in state.rules.items()
    }
    keys = {**state.former_keys, member: state.members[member].keys}
    return replace(state, members=members, rules=rules, former=state.former | {member}, former_keys=keys)


def _taken(why: str) -> RoomError:
    return Conflict(f"this name is taken: {why}", hint="choose another name")


def _last_owner() -> RoomError:
    return Conflict("a collaboration keeps at least one owner", hint="invite another owner first")
