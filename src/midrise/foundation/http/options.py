"""`OPTIONS` on a path: the methods that it takes (RFC 9110, section 9.3.7)."""

from collections.abc import Iterable

from litestar import Litestar, Response
from litestar.routes import HTTPRoute


class OptionsAnswers:
    """Answers `OPTIONS` for every path.

    Litestar's own answer knows only the first of the handlers that were registered on a path.
    """

    def __init__(self, app: Litestar) -> None:
        methods: dict[str, set[str]] = {}
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                methods.setdefault(route.path_format, set()).update(map(str, route.methods))
        self._allowed = {template: allow_header(names) for template, names in methods.items()}

    def answer(self, template: str) -> Response[None]:
        """The answer for a path of that template."""
        return Response(None, status_code=204, headers={"allow": self._allowed[template]})


def allow_header(methods: Iterable[str]) -> str:
    """The value of `Allow`; whatever takes `GET` takes `HEAD`."""
    named = set(methods)
    return ", ".join(sorted(named | {"HEAD"} if "GET" in named else named))
