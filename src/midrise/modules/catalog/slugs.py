"""Slugs: names as they stand in addresses, in the script of the name.

A slug holds lower-case letters and digits of any script with the marks that belong to them, and single hyphens
between. Nothing is transliterated: a Bengali name keeps its letters, and browsers show them.
"""

import unicodedata
from collections.abc import Iterator
from uuid import UUID

LONGEST_SLUG = 100
"""Characters; one of Bengali takes nine bytes of an address."""

SLUG_FORM = "lower-case letters and digits with single hyphens between"
"""What people are told of the form."""

_SUFFIX_DIGITS = (4, 8, 12)
_APOSTROPHES = frozenset("'\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}")


def slug_of(text: str) -> str:
    """The slug that a text makes; empty where it holds no letter or digit."""
    slug = unicodedata.normalize("NFKC", "".join(_parts(_folded(text)))).strip("-")
    return slug if len(slug) <= LONGEST_SLUG else _cut(slug, LONGEST_SLUG)


def is_slug(text: str) -> bool:
    """Whether the text is a slug as it stands."""
    return bool(text) and text == slug_of(text)


def slug_candidates(name: str, row_id: UUID) -> Iterator[str]:
    """Slugs for a name, in the order to try them: its own, then with more and more of the row's id behind."""
    plain = slug_of(name)
    if plain:
        yield plain
    for digits in _SUFFIX_DIGITS:
        stem = _cut(plain, LONGEST_SLUG - digits - 1)
        yield f"{stem}-{row_id.hex[-digits:]}".strip("-")


def _folded(text: str) -> str:
    # Twice: folding can denormalise, and what that gives may fold again (Unicode 16, section 3.13).
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _parts(text: str) -> Iterator[str]:
    """Letters, digits and their marks; one hyphen for whatever stands between, none for what is invisible."""
    before = "-"
    for character in text:
        category = unicodedata.category(character)
        if category == "Cf" or character in _APOSTROPHES:
            continue
        is_part = category[0] in "LN" or (category[0] == "M" and before != "-")
        if is_part or before != "-":
            before = character if is_part else "-"
            yield before


def _cut(slug: str, length: int) -> str:
    """At most ``length`` characters, whole words where the first of them fits."""
    if len(slug) <= length:
        return slug
    head, hyphen, _ = slug[: length + 1].rpartition("-")
    return head if hyphen else slug[:length]
