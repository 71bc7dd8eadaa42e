"""The texts of errors in the language that a client reads.

English stands in the classes themselves. Every other language is a TOML file in the folder ``locales`` of the
package that the class belongs to, so that a module brings its own; whatever a file lacks is told in English::

    [errors.email_taken]                  # by the error's code
    title = "…"
    detail = "…{email}…"                  # the same placeholders as in English
    explanation = "…"

    [faults.too_small]                    # by the fault's code
    detail = "…{limit}…"

    [terms]                               # words that stand in placeholders
    product = "…"
"""

import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from midrise.foundation.errors import FAULT_DETAILS, AppError, Fault, FaultCode

_READ_CHARACTERS = 200
"""How much of an `Accept-Language` is read; browsers send less than half of it."""

_SHOWN_CHARACTERS = 200
"""How much is shown of a value that a client sent."""

_RANGE = re.compile(
    r"(?P<tag>\*|[a-z]{2,8})(?:-[a-z0-9]{1,8})*\s*(?:;\s*q=(?P<q>[01](?:\.\d{0,3})?)\s*)?", re.IGNORECASE
)

_TRANSLATED_ARGUMENTS = frozenset({"expected", "got", "reason", "resource"})
"""Arguments that hold words of ours. What stands in the others may be a client's own and is left alone."""

_TERM_SEPARATORS = re.compile(r"( or |: )")


class Language(StrEnum):
    """The languages that ship."""

    ENGLISH = "en"
    BENGALI = "bn"


@dataclass(frozen=True, slots=True)
class ErrorTexts:
    """What a person is told of an error."""

    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Table:
    """One file of translations."""

    errors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)


def negotiate(accept_language: str) -> Language:
    """The language for the value of an `Accept-Language` header (RFC 9110): English where it asks for neither.

    The greater weight wins, then what stands first; ``*`` means English.
    """
    return _negotiate(accept_language[:_READ_CHARACTERS])


def error_texts(error: AppError | type[AppError], language: Language) -> ErrorTexts:
    """Title and detail of an error. Those of a class keep their placeholders."""
    kind = error if isinstance(error, type) else type(error)
    table = _table(_module_of_code(kind), language)
    texts = table.errors.get(kind.code, {})
    title, detail = texts.get("title", kind.title), texts.get("detail", kind.detail)
    if isinstance(error, type):
        return ErrorTexts(title, detail)
    english = error.english_detail()
    arguments = _shown(error.arguments, (table, _table(__name__, language)))
    return ErrorTexts(title, _formatted(texts.get("detail", english), arguments, english))


def fault_text(fault: Fault, language: Language) -> str:
    """What is wrong with one field or parameter, as a sentence without its subject: `must be 0 or more`."""
    table = _table(__name__, language)
    english = FAULT_DETAILS[fault.code]
    detail = table.faults.get(fault.code, {}).get("detail", english)
    return _formatted(detail, _shown(fault.arguments, (table,)), english)


def explanation(error: type[AppError], language: Language) -> str:
    """What a class of errors means and what to do about it, for a person: its docstring in English."""
    texts = _table(_module_of_code(error), language).errors.get(error.code, {})
    return texts.get("explanation") or " ".join((inspect.getdoc(error) or error.title).split())


def untranslated(
    errors: Iterable[type[AppError]], faults: Iterable[FaultCode], language: Language
) -> list[str]:
    """What a language lacks, or says with other placeholders than English; empty if all is well."""
    wrong = []
    for error in errors:
        texts = _table(_module_of_code(error), language).errors.get(error.code, {})
        wrong += [f"{error.code}.{name}" for name in ("title", "detail", "explanation") if not texts.get(name)]
        if _placeholders(texts.get("detail", error.detail)) != _placeholders(error.detail):
            wrong.append(f"{error.code}.detail: placeholders")
    for code in faults:
        detail = _table(__name__, language).faults.get(code, {}).get("detail", "")
        if not detail or _placeholders(detail) != _placeholders(FAULT_DETAILS[code]):
            wrong.append(f"{code}.detail")
    return wrong


@lru_cache(maxsize=1024)
def _negotiate(accept_language: str) -> Language:
    weights: dict[Language, float] = {}
    for each in accept_language.split(","):
        match = _RANGE.fullmatch(each.strip())
        tag = match["tag"].lower() if match else ""
        language = Language.ENGLISH if tag == "*" else next((known for known in Language if known == tag), None)
        if match and language:
            weights.setdefault(language, min(float(match["q"] or 1), 1))
    best = max(weights, key=weights.__getitem__, default=Language.ENGLISH)
    return best if weights.get(best) else Language.ENGLISH


def _module_of_code(error: type[AppError]) -> str:
    """Where the code is defined: a class that only narrows another one shares its texts."""
    return next(kind.__module__ for kind in error.__mro__ if "code" in vars(kind))


@lru_cache(maxsize=256)
def _table(module: str, language: Language) -> _Table:
    """The translations of the nearest package around a module that has some; empty if none has."""
    if language is Language.ENGLISH:
        return _Table()
    while module:
        if hasattr(sys.modules.get(module), "__path__"):
            file = files(module) / "locales" / f"{language}.toml"
            if file.is_file():
                return _Table(**tomllib.loads(file.read_text("utf-8")))
        module = module.rpartition(".")[0]
    return _Table()


def _shown(arguments: Mapping[str, object], tables: Iterable[_Table]) -> dict[str, str]:
    terms: dict[str, str] = {}
    for table in tables:
        terms = {**table.terms, **terms}
    return {
        name: _translated(_text(value), terms) if name in _TRANSLATED_ARGUMENTS else _text(value)
        for name, value in arguments.items()
    }


def _text(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        value = ", ".join(map(str, value))
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _translated(text: str, terms: Mapping[str, str]) -> str:
    """The text, or those of its parts for which there is a term: `int or null`, `it is no JSON: …`."""
    if text in terms:
        return terms[text]
    return "".join(terms.get(part, part) for part in _TERM_SEPARATORS.split(text))


def _formatted(text: str, arguments: Mapping[str, str], english: str) -> str:
    try:
        return text.format(**arguments)
    except (KeyError, IndexError, ValueError):  # a translation with other placeholders: rather English than 500
        return english.format(**arguments)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
