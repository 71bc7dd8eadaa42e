"""People are told the form of a text in words, never by a pattern; so every pattern of a body has its words."""

from collections.abc import Iterator

import msgspec
import pytest

from midrise.foundation.errors import Fault, FaultCode
from midrise.foundation.http.faults import _metas
from midrise.foundation.localization import Language, fault_text
from midrise.modules import installed_modules


def patterns() -> Iterator[tuple[str, msgspec.Meta]]:
    """Every field of a body that has a pattern, and what is said of it."""
    installed_modules()
    for struct in msgspec.Struct.__subclasses__():
        if struct.__module__.startswith("midrise.") and not getattr(struct, "__parameters__", ()):
            for field in msgspec.structs.fields(struct):
                for meta in _metas(field.type):
                    if meta.pattern:
                        yield f"{struct.__name__}.{field.name}", meta


EVERY_PATTERN = list(patterns())


def test_there_are_patterns():
    assert {"Money.currency", "ProductToCreate.sku", "NewRoleBody.name"} <= {
        place for place, _ in EVERY_PATTERN
    }


@pytest.mark.parametrize(("place", "meta"), EVERY_PATTERN, ids=[place for place, _ in EVERY_PATTERN])
def test_a_pattern_has_words_in_every_language(place, meta):
    words = (meta.extra or {}).get("expected")
    fault = Fault(FaultCode.WRONG_FORMAT, arguments={"expected": words})
    texts = {fault_text(fault, language) for language in Language}
    assert words
    assert sum(words in text for text in texts) == 1, "only English says it in English"


@pytest.mark.parametrize(("place", "meta"), EVERY_PATTERN, ids=[place for place, _ in EVERY_PATTERN])
def test_a_pattern_has_its_ends_at_its_ends(place, meta):
    assert "$" not in meta.pattern.removesuffix("$").replace(r"\$", "")
