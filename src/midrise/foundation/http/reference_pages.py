"""The documentation pages: ``/docs`` to try calls (Swagger UI), ``/reference`` to read (Stoplight Elements).

Both show ``/openapi.json`` and need no internet: every script and style stands in ``reference_assets/`` and is
served from here. The Content-Security-Policy of the pages holds them to that, whatever a later version of the
viewers would like to ask of other hosts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from midrise.foundation.errors import NotFound
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.etags import IfNoneMatch, is_known, quoted

ASSETS_FOLDER = Path(__file__).parent / "reference_assets"

ASSET_FILES = {
    "elements.css": "stoplight-elements/styles.min.css",
    "elements.js": "stoplight-elements/web-components.min.js",
    "pages.css": "own/pages.css",
    "swagger-ui-start.js": "own/swagger-ui-start.js",
    "swagger-ui.css": "swagger-ui/swagger-ui.css",
    "swagger-ui.js": "swagger-ui/swagger-ui-bundle.js",
}
"""What is served, and from which file: nothing else in the folder can be asked for."""

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
}

ICON_STYLE = "'sha256-MBVp6JYxbC/wICelYC6eULCRpgi9kGezXXSaq/TS2+I='"
"""The one style that Elements puts into the page itself: that of its icons. It goes with the version."""

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {ICON_STYLE}; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

KEEP_FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

DOCS_BODY = '<div id="swagger-ui"></div>'
REFERENCE_BODY = (
    '<elements-api apiDescriptionUrl="/openapi.json" router="hash" layout="responsive" hideTryIt="true">'
    "</elements-api>"
)


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes that don't change while the process runs, and the digest that names them."""

    content: bytes
    media_type: str
    digest: str

    @classmethod
    def of(cls, content: bytes, *, suffix: str) -> "Document":
        """The document of these bytes; its media type goes by the suffix of a file name."""
        return cls(content, media_type=MEDIA_TYPES[suffix], digest=sha256(content).hexdigest()[:32])


@get("/docs", opt={"access": ANYONE}, include_in_schema=False, sync_to_thread=True)
def show_docs(if_none_match: IfNoneMatch = None) -> Response[bytes]:
    """The page to try calls on: Swagger UI."""
    return _page_answer(docs_page(), if_none_match)


@get("/reference", opt={"access": ANYONE}, include_in_schema=False, sync_to_thread=True)
def show_reference(if_none_match: IfNoneMatch = None) -> Response[bytes]:
    """The page to read: Stoplight Elements."""
    return _page_answer(reference_page(), if_none_match)


@get(
    "/docs/assets/{digest:str}/{name:str}", opt={"access": ANYONE}, include_in_schema=False, sync_to_thread=True
)
def show_asset(
    digest: FromPath[str], name: FromPath[str], if_none_match: IfNoneMatch = None
) -> Response[bytes]:
    """A script or style of the pages.

    The digest in the path makes the address change with the content, so that a browser may keep it for good.
    While a new version is rolled out, a page of one instance may ask another for an asset: it gets that
    instance's, but not to keep.
    """
    if name not in ASSET_FILES:
        raise NotFound("asset")
    document = asset(name)
    kept = KEEP_FOR_GOOD if digest == document.digest else ASK_AGAIN
    return _answer(document, if_none_match, headers={"Cache-Control": kept})


reference_handlers: Sequence[HTTPRouteHandler] = (show_docs, show_reference, show_asset)


@cache
def asset(name: str) -> Document:
    """One of ``ASSET_FILES``, read at its first use and kept."""
    path = ASSETS_FOLDER / ASSET_FILES[name]
    return Document.of(path.read_bytes(), suffix=path.suffix)


@cache
def docs_page() -> Document:
    """The HTML of ``/docs``."""
    scripts = ("swagger-ui.js", "swagger-ui-start.js")
    return _page("Midrise API", DOCS_BODY, styles=("swagger-ui.css", "pages.css"), scripts=scripts)


@cache
def reference_page() -> Document:
    """The HTML of ``/reference``."""
    styles = ("elements.css", "pages.css")
    return _page("Midrise API reference", REFERENCE_BODY, styles=styles, scripts=("elements.js",))


def _page(title: str, body: str, *, styles: Sequence[str], scripts: Sequence[str]) -> Document:
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        '<link rel="icon" href="data:,">',
        *(f'<link rel="stylesheet" href="{_address(name)}">' for name in styles),
        *(f'<script src="{_address(name)}" defer></script>' for name in scripts),
        "</head>",
        "<body>",
        body,
        '<noscript>This page needs JavaScript; it shows <a href="/openapi.json">openapi.json</a>.</noscript>',
        "</body>",
        "</html>",
    ]
    return Document.of("\n".join(lines).encode(), suffix=".html")


def _address(name: str) -> str:
    return f"/docs/assets/{asset(name).digest}/{name}"


def _page_answer(page: Document, if_none_match: str | None) -> Response[bytes]:
    headers = {"Cache-Control": ASK_AGAIN, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return _answer(page, if_none_match, headers=headers)


def _answer(document: Document, if_none_match: str | None, *, headers: dict[str, str]) -> Response[bytes]:
    headers |= {"ETag": quoted(document.digest)}
    if is_known(if_none_match, document.digest):
        return Response(b"", status_code=304, headers=headers)
    return Response(document.content, media_type=document.media_type, headers=headers)
