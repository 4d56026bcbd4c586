"""Identifiers get the published spelling and digest; tokens are equal for equal people under one key, rule and kind."""

import hashlib
import hmac
import string
from typing import NamedTuple

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from privacy.errors import IdentifierRefused, InvalidSetting, TokenRefused
from privacy.identifiers import (
    IdentifierKind,
    IdentifierProblem,
    IdentifierRule,
    IdentityKey,
    IdentityToken,
    normalise,
    normalise_first_name,
    parse_token,
    rules_for,
)
from tests.conftest import REPOSITORY

EMAIL, PHONE, ID = IdentifierKind.EMAIL, IdentifierKind.PHONE, IdentifierKind.ID
UID2, GOOGLE, META, OPAQUE = IdentifierRule
SHARED_VECTORS = REPOSITORY.parent / "shared" / "cleanroom" / "hash_vectors.yaml"


class Vector(NamedTuple):
    """A published example: `digest` is the SHA-256 of the normalised text in hex, where its source prints one."""

    rule: IdentifierRule
    kind: IdentifierKind
    raw: str
    region: str
    normalised: str
    digest: str = ""


# Sources: the pages that privacy/identifier_rules.py names.
PUBLISHED = [
    Vector(UID2, EMAIL, "user@example.com", "", "user@example.com",
           "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"),
    Vector(UID2, EMAIL, "MYEMAIL@example.com", "", "myemail@example.com",
           "16c18d336f0b250f0e2d907452ceb9658a74ecdae8bc94864c23122a72cc27a5"),
    Vector(UID2, EMAIL, "My.Email@example.com", "", "my.email@example.com",
           "e22b53bc6f871274f3a62ab37a3caed7214fc14d676215a96a242fcfada1c81f"),
    Vector(UID2, EMAIL, "JaneSaoirse@example.com", "", "janesaoirse@example.com",
           "d6670e7a92007f1b5ff785f1fc81e53aa6d3d7bd06bdf5c473cdc7286c284b6d"),
    Vector(UID2, EMAIL, "Jane.Saoirse@example.com", "", "jane.saoirse@example.com",
           "b196432c7b989a2ca91c83799957c515da53e6c13abf20b78fea94f117e90bf8"),
    Vector(UID2, EMAIL, "JaneSaoirse+Work@example.com", "", "janesaoirse+work@example.com",
           "28aaee4815230cd3b4ebd88c515226550666e91ac019929e3adac3f66c288180"),
    Vector(UID2, EMAIL, "Jane.Saoirse@gmail.com", "", "janesaoirse@gmail.com",
           "92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
    Vector(UID2, EMAIL, "JaneSaoirse+Work@gmail.com", "", "janesaoirse@gmail.com",
           "92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
    Vector(UID2, PHONE, "1 (234) 567-8901", "US", "+12345678901",
           "10e6f0b47054a83359477dcb35231db6de5c69fb1816e1a6b98e192de9e5b9ee"),
    Vector(UID2, PHONE, "65 1243 5678", "SG", "+6512435678"),
    Vector(UID2, PHONE, "(02) 1234 5678", "AU", "+61212345678"),
    Vector(META, EMAIL, "John_Smith@gmail.com", "", "john_smith@gmail.com",
           "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    Vector(META, PHONE, "(650)555-1212", "US", "16505551212",
           "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    Vector(GOOGLE, EMAIL, "cloudy.sanfrancisco+shopping@gmail.com", "", "cloudysanfrancisco@gmail.com"),
    Vector(GOOGLE, EMAIL, "user.name+NYC@Example.com", "", "user.name+nyc@example.com"),
    Vector(GOOGLE, EMAIL, "Jane.Doe @googlemail.com", "", "janedoe@googlemail.com"),
    Vector(GOOGLE, PHONE, "(800)555-0100", "US", "+18005550100"),
]  # fmt: skip
FIRST_NAMES = {  # Meta
    "Mary": "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
    "정": "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
    "Valéry": "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c",
}


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("vector", PUBLISHED, ids=lambda vector: f"{vector.rule}-{vector.raw}")
def test_published_examples_get_their_spelling_and_digest(vector):
    normalised = normalise(vector.raw, vector.kind, vector.rule, vector.region)
    assert normalised == vector.normalised
    assert vector.digest in {"", sha256_hex(normalised)}


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_first_names_get_metas_digest(name):
    assert sha256_hex(normalise_first_name(name)) == FIRST_NAMES[name]


def test_a_first_name_loses_punctuation_and_the_way_its_accent_was_typed():
    assert normalise_first_name(" Anne-Marie. ") == "annemarie"
    assert normalise_first_name("Vale\u0301ry") == normalise_first_name("Val\u00e9ry")
    for nothing in ("", "  ", "...", "a\0b"):
        with pytest.raises(IdentifierRefused):
            normalise_first_name(nothing)


def test_the_digest_of_an_address_that_was_not_lower_cased_is_never_made():
    published_as_wrong = "5692d7129e4dd5b8ff5755b38e066c0be15fb98767b403b2c125483b4d050ff1"
    assert sha256_hex("JANESaoirse@gmail.com") == published_as_wrong
    for rule in (UID2, GOOGLE, META):
        assert sha256_hex(normalise("JANESaoirse@gmail.com", EMAIL, rule)) != published_as_wrong


def test_every_collected_vector_holds():
    yaml = pytest.importorskip("yaml")
    if not SHARED_VECTORS.exists():
        pytest.skip("the collected vectors are not beside this checkout; the copies above were tested")
    vectors = yaml.safe_load(SHARED_VECTORS.read_text(encoding="utf-8"))
    wrong = [v["raw"] for v in vectors if _made(v) != (v["normalized"], v["sha256_hex"])]
    assert wrong == ["JANESaoirse@gmail.com"]  # the one that shows what must not be made


def _made(vector: dict) -> tuple[str, str]:
    rule = {"UID2": UID2, "Meta": META, "Google": GOOGLE}[vector["source"].split()[0]]
    kind = PHONE if vector["rule"].startswith("phone") else EMAIL
    raw, region = vector["raw"], ""
    for name, written in (("US", "US "), ("US", " [US]"), ("AU", " [AU]")):
        if written in raw:
            raw, region = raw.replace(written, ""), name
    region = region or {"65 1243 5678": "SG", "1 (234) 567-8901": "US"}.get(raw, "")
    is_name = "first name" in vector["rule"]
    normalised = normalise_first_name(raw) if is_name else normalise(raw, kind, rule, region)
    return normalised, sha256_hex(normalised)


@pytest.mark.parametrize(
    ("raw", "uid2", "google", "meta"),
    [
        (" A.b+c@Gmail.com ", "ab@gmail.com", "ab@gmail.com", "a.b+c@gmail.com"),
        ("A.b+c@googlemail.com", "a.b+c@googlemail.com", "ab@googlemail.com", "a.b+c@googlemail.com"),
        ("A.b+c@mail.example", "a.b+c@mail.example", "a.b+c@mail.example", "a.b+c@mail.example"),
        ("a.b@gmail.com.example", "a.b@gmail.com.example", "a.b@gmail.com.example", "a.b@gmail.com.example"),
        ("\tA@B.DE\n", "a@b.de", "a@b.de", "a@b.de"),
        ("Mu\u0308ller@example.de", "müller@example.de", "müller@example.de", "müller@example.de"),
    ],
)
def test_each_rule_drops_what_it_names_and_nothing_else(raw, uid2, google, meta):
    assert [normalise(raw, EMAIL, rule) for rule in (UID2, GOOGLE, META)] == [uid2, google, meta]


@pytest.mark.parametrize(
    ("raw", "region", "expected"),
    [
        ("4917 12345678", "DE", "+491712345678"),  # without the zero of a national number
        ("04917 123456", "DE", "+494917123456"),
        ("4912345", "DE", "+494912345"),  # no number behind +49
        ("+49 171 2345678", "", "+491712345678"),
        ("+49 (0) 171 2345678", "", "+491712345678"),
        ("0049-171-2345678", "DE", "+491712345678"),
        ("0171/2345678", "DE", "+491712345678"),
        ("491712345678", "DE", "+491712345678"),
        ("011 49 171 2345678", "US", "+491712345678"),
        ("+49 171 2345678", "US", "+491712345678"),
        ("\uff0b\uff14\uff19 171 2345678", "", "+491712345678"),  # full-width plus and digits
        ("+39 06 6982", "", "+39066982"),  # Italy keeps the zero
        ("(650) 555\u20111212", "US", "+16505551212"),
    ],
)
def test_phones_become_e164(raw, region, expected):
    assert normalise(raw, PHONE, UID2, region) == normalise(raw, PHONE, GOOGLE, region) == expected
    assert normalise(raw, PHONE, META, region) == expected.removeprefix("+")


def test_every_regions_example_number_has_one_spelling_however_it_is_written():
    """libphonenumber's own examples: with plus, from abroad, as written at home, and with the code but no plus."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number(region)
        assert example is not None
        expected = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        home = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
        ways = [(expected, ""), (expected, "DE"), (home, region), (expected[1:], region)]
        assert {normalise(raw, PHONE, UID2, place) for raw, place in ways} == {expected}


P = IdentifierProblem


@pytest.mark.parametrize(
    ("kind", "raw", "problem"),
    [
        (EMAIL, "", P.EMPTY),
        (EMAIL, " \t", P.EMPTY),
        (EMAIL, "jane", P.NOT_ONE_AT),
        (EMAIL, "a@b@c.de", P.NOT_ONE_AT),
        (EMAIL, "@example.com", P.NO_LOCAL_PART),
        (EMAIL, "+tag@gmail.com", P.NO_LOCAL_PART),
        (EMAIL, "...@gmail.com", P.NO_LOCAL_PART),
        (EMAIL, "a@", P.BAD_DOMAIN),
        (EMAIL, "a@localhost", P.BAD_DOMAIN),
        (EMAIL, "a@.example.com", P.BAD_DOMAIN),
        (EMAIL, "a@example..com", P.BAD_DOMAIN),
        (EMAIL, "a@example.com.", P.BAD_DOMAIN),
        (EMAIL, "a b@example.com", P.INNER_SPACE),
        (EMAIL, "a\0@example.com", P.UNPRINTABLE),
        (EMAIL, "a\u200b@example.com", P.UNPRINTABLE),
        (EMAIL, "\ufeffa@example.com", P.UNPRINTABLE),
        (EMAIL, "a\ud800@example.com", P.UNPRINTABLE),
        (EMAIL, "a" * 243 + "@example.com", P.TOO_LONG),
        (PHONE, "", P.EMPTY),
        (PHONE, "0171 2345678", P.REGION_NEEDED),
        (PHONE, "0049 171 2345678", P.REGION_NEEDED),
        (PHONE, "call me", P.NOT_A_PHONE),
        (PHONE, "+49 171 2345678 ext. 5", P.NOT_A_PHONE),
        (PHONE, "1-800-FLOWERS", P.NOT_A_PHONE),
        (PHONE, "+49 171 +2345678", P.NOT_A_PHONE),
        (PHONE, "+49171\x002345678", P.UNPRINTABLE),
        (PHONE, "+", P.NOT_A_PHONE),
        (PHONE, "+()", P.IMPOSSIBLE_PHONE),
        (PHONE, "+49", P.IMPOSSIBLE_PHONE),
        (PHONE, "+1 555 1212", P.IMPOSSIBLE_PHONE),
        (PHONE, "+999 123456789", P.IMPOSSIBLE_PHONE),
        (PHONE, "+62 10000000000000", P.IMPOSSIBLE_PHONE),  # 16 digits
        (PHONE, "+" + "1" * 300, P.IMPOSSIBLE_PHONE),
        (ID, "", P.EMPTY),
        (ID, "  ", P.EMPTY),
        (ID, "a\nb", P.UNPRINTABLE),
        (ID, "x" * 257, P.TOO_LONG),
    ],
)
def test_what_cannot_be_normalised_has_a_named_problem_and_is_not_shown(kind, raw, problem):
    rule = OPAQUE if kind is ID else UID2
    with pytest.raises(IdentifierRefused) as refused:
        normalise(raw, kind, rule)
    assert refused.value.problem == problem
    assert str(refused.value) == f"a value cannot be normalised: {problem}; it was left out"
    assert refused.value.hint


def test_google_closes_gaps_where_the_others_refuse():
    assert normalise("jane doe@example.com", EMAIL, GOOGLE) == "janedoe@example.com"


def test_opaque_ids_stay_as_they_are_but_for_spaces_at_their_ends():
    digest = sha256_hex("user@example.com")
    assert [normalise(raw, ID, OPAQUE) for raw in (digest, " C-00 7 ", "Ä", "x" * 256)] == [
        digest,
        "C-00 7",
        "Ä",
        "x" * 256,
    ]


@pytest.mark.parametrize(("kind", "rule"), [(EMAIL, OPAQUE), (PHONE, OPAQUE), (ID, UID2), (ID, META)])
def test_a_rule_that_does_not_apply_is_a_wrong_setting(kind, rule):
    assert rule not in rules_for(kind)
    with pytest.raises(InvalidSetting):
        normalise("a@example.com", kind, rule)
    with pytest.raises(InvalidSetting):
        IdentityKey(bytes(32), kind, rule)


@pytest.mark.parametrize("region", ["de", "XX", "DEU", "49"])
def test_an_unknown_region_is_a_wrong_setting(region):
    with pytest.raises(InvalidSetting):
        normalise("0171 2345678", PHONE, UID2, region)


def refused_or_normalised(raw: str, kind: IdentifierKind, rule: IdentifierRule, region: str = "") -> str:
    """The normal form, or the problem's name, which is none: it holds no @ and no digit."""
    try:
        return normalise(raw, kind, rule, region)
    except IdentifierRefused as error:
        return IdentifierProblem(error.problem)


# Letters that meet the rules more often than chance would have it.
ADDRESSES = st.text("aB.+@ İΣſK\u0301\u0345\u200bgmailco" + string.whitespace) | st.text(
    st.characters(), max_size=40
).flatmap(
    lambda text: st.sampled_from([text, text + "@gmail.com", text + "@x.De", " " + text + "@googlemail.com"])
)


@given(ADDRESSES, st.sampled_from([UID2, GOOGLE, META]))
@example("a\u0345\u0301@x.de", UID2)
def test_addresses_are_refused_by_name_or_normalised_for_good(raw, rule):
    once = refused_or_normalised(raw, EMAIL, rule)
    if once in set(IdentifierProblem):
        return
    assert normalise(once, EMAIL, rule) == once
    assert once.count("@") == 1
    assert once == once.strip() == once.lower()


PHONES = (
    st.text("0123456789+ ()-/.", max_size=22) | st.text(max_size=20) | st.from_regex(r"\A\+[0-9]{5,16}\Z")
)


@given(PHONES, st.sampled_from([UID2, META]), st.sampled_from(["", "DE", "US", "IT", "AR", "BR", "SG", "MX"]))
def test_phones_are_refused_by_name_or_normalised_for_good_whatever_the_region(raw, rule, region):
    once = refused_or_normalised(raw, PHONE, rule, region)
    if once in set(IdentifierProblem):
        return
    international = once if rule is UID2 else f"+{once}"
    assert international[0] == "+"
    assert international[1:].isascii()
    assert international[1:].isdigit()
    assert len(international) <= 16
    assert {normalise(international, PHONE, rule, other) for other in ("", "DE", "BR")} == {once}


@given(st.text(max_size=300))
def test_ids_are_refused_by_name_or_normalised_for_good(raw):
    once = refused_or_normalised(raw, ID, OPAQUE)
    if once in set(IdentifierProblem):
        return
    assert normalise(once, ID, OPAQUE) == once


# --- Tokens ---------------------------------------------------------------------------------------------------

SECRET = bytes(range(32))
KEY = IdentityKey(SECRET, EMAIL, UID2)


def test_a_token_is_the_documented_hmac():
    message = b"mixroom identity token 1\0email\0uid2\0jane@example.com"
    person = hmac.new(SECRET, message, "sha256").digest()[:16]
    tag = hmac.new(SECRET, b"mixroom identity tag 1\0email\0uid2\0", "sha256").digest()[:4].hex()
    assert KEY.tag == tag
    assert KEY.token("jane@example.com") == f"{tag}.{person.hex()}"
    assert parse_token(KEY.token("jane@example.com")) == IdentityToken(tag, person)
    assert str(IdentityToken(tag, person)) == KEY.token("jane@example.com")


def test_many_tokens_are_those_of_each():
    texts = ["a@example.com", "ü@example.com", "a@example.com"]
    assert KEY.tokens(texts) == [KEY.token(text) for text in texts]
    assert len(set(KEY.tokens(texts))) == 2


def test_another_key_kind_or_rule_gives_other_tokens_and_another_tag():
    keys = [
        KEY,
        IdentityKey(SECRET, EMAIL, GOOGLE),
        IdentityKey(SECRET, EMAIL, META),
        IdentityKey(SECRET, PHONE, UID2),
        IdentityKey(SECRET, ID, OPAQUE),
        IdentityKey(SECRET[:-1] + b"\0", EMAIL, UID2),
    ]
    assert len({key.tag for key in keys}) == len(keys)
    assert len({parse_token(key.token("x")).person for key in keys}) == len(keys)


def test_a_dictionary_of_plain_digests_finds_nobody():
    token = KEY.token("jane@example.com")
    digests = {hashlib.new(name, b"jane@example.com").hexdigest()[:32] for name in ("sha256", "md5", "sha1")}
    assert parse_token(token).person.hex() not in digests


def test_the_secret_never_prints():
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr([KEY])):
        assert "***" in shown
        assert SECRET.hex() not in shown
        assert repr(SECRET)[2:20] not in shown
    assert IdentityKey.generate(EMAIL, UID2) != IdentityKey.generate(EMAIL, UID2)


@pytest.mark.parametrize("secret", [b"", bytes(16), bytes(33)])
def test_a_secret_of_another_length_is_refused(secret):
    with pytest.raises(InvalidSetting, match="32 bytes"):
        IdentityKey(secret, EMAIL, UID2)


GOOD = "0123abcd." + "0" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jane@example.com",
        GOOD.upper(),
        GOOD + "0",
        GOOD[:-1],
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace(".", ":"),
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(text):
    with pytest.raises(TokenRefused) as refused:
        parse_token(text)
    assert not text or text not in str(refused.value)
