"""What the gateway answers itself: the one error format, in English and Bengali, from nginx's error pages.

The texts are those of the error classes, so that a 413 reads the same whichever layer said it. They are written
into the configuration when it is rendered; nginx adds the path and the request id.
"""

import json
from collections.abc import Mapping

from midrise.foundation.errors import AppError, InternalError, Malformed, NotFound, RateLimited, Unavailable
from midrise.foundation.http.errors import (
    BadGateway,
    GatewayTimeout,
    HeadersTooLarge,
    HttpVersionNotSupported,
    MethodNotAllowed,
    NotImplementedByGateway,
    PayloadTooLarge,
    RequestTimeout,
    UriTooLong,
    status_of,
)
from midrise.foundation.localization import Language, error_texts
from midrise.topology.nginx_syntax import block, quoted

FOLDER = "/.midrise/errors/"
"""Where the error pages stand: internal addresses, which answer 404 to a client."""

RETRY_AFTER_SECONDS = 2

_PAGES: Mapping[int, AppError] = {
    400: Malformed(),
    404: NotFound(),
    405: MethodNotAllowed(),
    408: RequestTimeout(),
    413: PayloadTooLarge(),
    414: UriTooLong(),
    429: RateLimited(RETRY_AFTER_SECONDS),
    431: HeadersTooLarge(),
    497: Malformed("This address speaks HTTPS"),
    500: InternalError(),
    501: NotImplementedByGateway(),
    502: BadGateway(),
    503: Unavailable(RETRY_AFTER_SECONDS),
    504: GatewayTimeout(),
    505: HttpVersionNotSupported(),
}
"""nginx's codes and what each means to a client. 497 is its own: plain HTTP where TLS is spoken."""

_OTHER_CODES: Mapping[int, int] = {494: 431} | dict.fromkeys((403, 411, 412, 415, 416, 421, 495, 496), 400)
"""Codes that nginx has, or could come to have by its own rules, and the page that fits."""

_TENTHS = range(10, 0, -1)


def error_pages() -> str:
    """The directives that send nginx's codes to their pages; a 502 is looked at first, see routes.conf."""
    lines = [f"error_page {code} ={_status(code)} {FOLDER}{code};" for code in _PAGES if code != 502]
    lines += [f"error_page {code} ={_status(page)} {FOLDER}{page};" for code, page in _OTHER_CODES.items()]
    return "\n".join(lines)


def error_locations() -> str:
    """The pages themselves. `return` with a body keeps nginx from looking for an error page once more."""
    return "\n".join(
        f"location = {FOLDER}{code} {{ return {_status(code)} $midrise_problem_{code}; }}" for code in _PAGES
    )


def problem_maps() -> str:
    """A variable for each page: its body in the client's language."""
    return "\n".join(
        block(
            f"map $midrise_language $midrise_problem_{code}",
            [
                f"default {_body(error, Language.ENGLISH)};",
                *(f"{each} {_body(error, each)};" for each in Language if each is not Language.ENGLISH),
            ],
        )
        for code, error in _PAGES.items()
    )


def language_rules() -> str:
    """The choice that `localization.negotiate` makes, as regular expressions on `Accept-Language`.

    nginx can't compare numbers, so weights are compared by tenths: Bengali is wanted more if for some tenth it
    is wanted at least as much, and English is not. With equal weights the first to be named wins.
    """
    bengali, english = "bn", r"(?:en|\*)"
    more = [_wanted_more(bengali, english, tenth) for tenth in _TENTHS]
    less = [_wanted_more(english, bengali, tenth) for tenth in _TENTHS]
    first = rf"~*^(?:(?!{_range(english)}).)*{_range(bengali)}(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))"
    return "\n".join(
        [
            *(f'"{rule}" {Language.BENGALI};' for rule in more),
            *(f'"{rule}" {Language.ENGLISH};' for rule in less),
            f'"{first}" {Language.BENGALI};',
        ]
    )


def _status(code: int) -> int:
    return status_of(type(_PAGES[code]))


def _body(error: AppError, language: Language) -> str:
    texts = error_texts(error, language)
    problem = {
        "type": f"/errors/{error.code}",
        "title": texts.title,
        "status": status_of(type(error)),
        "detail": texts.detail,
        "code": error.code,
        "instance": "<path>",
        "request_id": "<request id>",
    }
    # Both variables hold nothing that would need an escape in JSON; the maps in nginx.conf see to it.
    body = quoted(json.dumps(problem, ensure_ascii=False, separators=(",", ":")))
    return body.replace("<path>", "$midrise_path").replace("<request id>", "$midrise_request_id")


def _wanted_more(this: str, other: str, tenth: int) -> str:
    return rf"~*^(?=.*{_wanted(this, tenth)})(?!.*{_wanted(other, tenth)})"


def _wanted(tag: str, tenth: int) -> str:
    weight = r"1(?:\.0*)?" if tenth == 10 else rf"(?:1(?:\.0*)?|0\.[{tenth}-9]\d*)"
    return rf"{_range(tag)}\s*(?:;\s*q={weight}\s*)?(?:,|$)"


def _range(tag: str) -> str:
    return rf"(?:^|,)\s*{tag}(?:-[a-z0-9]+)*(?![a-z0-9_-])"
