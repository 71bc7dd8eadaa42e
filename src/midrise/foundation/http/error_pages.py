"""`/errors` and `/errors/{code}`: where the `type` of every error leads, for people and for programs.

A browser gets a page, everything else JSON, in the language that it asks for.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Annotated, Any, TypeVar, cast

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from midrise.foundation.errors import AppError, NotFound
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.errors import status_of
from midrise.foundation.http.listing import ListOf
from midrise.foundation.localization import Language, error_texts, explanation, negotiate

Shown = TypeVar("Shown")

_HTML = "text/html"
_JSON = "application/json"
_KEEP_FOR_A_WHILE = "public, max-age=300"

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
body { max-width: 42rem; margin: 4rem auto; padding: 0 1.25rem; }
code { font: 0.95em ui-monospace, monospace; padding: 0.1em 0.3em; border-radius: 0.25em; }
code { background: color-mix(in srgb, currentColor 10%, transparent); }
h1 { font-size: 1.6rem; line-height: 1.25; margin-bottom: 0.5rem; }
dt { font-weight: 600; margin-top: 1rem; } dd { margin: 0; }
a { color: inherit; } nav { margin-top: 3rem; opacity: 0.75; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.ENGLISH: {"errors": "Errors", "all": "All errors"},
    Language.BENGALI: {"errors": "ত্রুটি", "all": "সব ত্রুটি"},
}

ErrorCode = Annotated[
    str,
    PathParameter(max_length=100, description="The `code` of an error", examples=[Example(value="not_found")]),
]


class ErrorExplained(msgspec.Struct):
    """What a code stands for."""

    code: Annotated[str, msgspec.Meta(examples=["not_found"])]
    status: Annotated[int, msgspec.Meta(ge=400, le=599, examples=[404])]
    title: Annotated[str, msgspec.Meta(examples=["Not found"])]
    explanation: Annotated[
        str,
        msgspec.Meta(examples=["What was asked for does not exist, or the caller may not know that it does."]),
    ]


def error_classes(of_modules: Iterable[type[AppError]]) -> Sequence[type[AppError]]:
    """The closed list: one class for each code of the foundation and of the modules, by status."""
    by_code = {error.code: error for error in [*_of_foundation(AppError), *of_modules]}
    return sorted(by_code.values(), key=lambda error: (status_of(error), error.code))


def error_handlers(errors: Iterable[type[AppError]]) -> Sequence[HTTPRouteHandler]:
    """What serves the pages of these errors."""
    by_code = {error.code: error for error in errors}

    @get("/errors", access=ANYONE, summary="List the errors", tags=["Operation"], media_types=(_HTML,))
    async def list_errors(request: Request[Any, Any, Any]) -> Response[ListOf[ErrorExplained]]:
        """Every code that an error can have, with what it means; a page for browsers."""
        language = negotiate(request.headers.get("accept-language", ""))
        shown = [_explained(error, language) for error in by_code.values()]
        return _answer(request, ListOf(shown), page=_list_page(shown, language), language=language)

    @get(
        "/errors/{code:str}",
        access=ANYONE,
        summary="Explain an error",
        tags=["Operation"],
        media_types=(_HTML,),
    )
    async def explain_error(request: Request[Any, Any, Any], code: ErrorCode) -> Response[ErrorExplained]:
        """What a code means and what to do about it; a page for browsers."""
        if code not in by_code:
            raise NotFound("error")
        language = negotiate(request.headers.get("accept-language", ""))
        shown = _explained(by_code[code], language)
        return _answer(request, shown, page=_page_of(shown, language), language=language)

    return [list_errors, explain_error]


def prefers_html(accept: str) -> bool:
    """Whether HTML weighs more in an `Accept` header (RFC 9110, section 12.5.1); JSON wins a draw."""
    weights: dict[str, float] = {}
    for each in accept[:1000].split(","):
        media_type, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[media_type] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0
    return _weight(_HTML, weights) > _weight(_JSON, weights)


def _weight(media_type: str, weights: Mapping[str, float]) -> float:
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0)


def _of_foundation(kind: type[AppError]) -> Iterator[type[AppError]]:
    """Every class of the foundation that has a code of its own."""
    for error in kind.__subclasses__():
        if error.__module__.startswith("midrise.foundation."):
            if "code" in vars(error):
                yield error
            yield from _of_foundation(error)


def _explained(error: type[AppError], language: Language) -> ErrorExplained:
    return ErrorExplained(
        code=error.code,
        status=status_of(error),
        title=error_texts(error, language).title,
        explanation=explanation(error, language),
    )


def _answer(request: Request[Any, Any, Any], shown: Shown, *, page: str, language: Language) -> Response[Shown]:
    """An answer that goes by what the client reads."""
    headers = {
        "cache-control": _KEEP_FOR_A_WHILE,
        "content-language": language.value,
        "vary": "Accept, Accept-Language",
    }
    if not prefers_html(request.headers.get("accept", "")):
        return Response(shown, headers=headers)
    headers["content-security-policy"] = CONTENT_SECURITY_POLICY
    return cast("Response[Shown]", Response(page.encode(), media_type=_HTML, headers=headers))


def _list_page(errors: Sequence[ErrorExplained], language: Language) -> str:
    entries = "\n".join(
        f'<dt><a href="/errors/{error.code}"><code>{error.code}</code></a> {error.status}</dt>'
        f"<dd>{escape(error.title)}</dd>"
        for error in errors
    )
    words = _WORDS[language]
    return _page(words["errors"], f"<h1>{words['errors']}</h1>\n<dl>\n{entries}\n</dl>", language)


def _page_of(error: ErrorExplained, language: Language) -> str:
    body = (
        f"<h1>{escape(error.title)}</h1>\n"
        f"<p>{error.status} · <code>{error.code}</code></p>\n"
        f"<p>{_with_code(error.explanation)}</p>\n"
        f'<nav><a href="/errors">{_WORDS[language]["all"]}</a></nav>'
    )
    return _page(error.title, body, language)


def _with_code(text: str) -> str:
    """The text as HTML: what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(title: str, body: str, language: Language) -> str:
    return (
        f'<!doctype html>\n<html lang="{language.value}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n'
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
