"""How text is compared and sorted: the same in every process and on every PostgreSQL."""

import unicodedata

ONE_LINE = r"^(?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+(?<!\s)$"
"""The pattern of a name: no control character, no line break, no space at either end."""
ONE_LINE_IN_WORDS = "one line without spaces around it"


def sort_key(text: str) -> str:
    """The text as it is compared: NFKC, case-folded, NFKC again, without spaces around it.

    Stored beside the text and compared by bytes (``COLLATE "C"``), so that order and uniqueness do not depend
    on the locale or the ICU version of a database. Folding can denormalise (Unicode 16, section 3.13, D145),
    hence the second pass.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
