"""The answer to what is done later."""

from litestar import MediaType, Response


def accepted() -> Response[None]:
    """202 without a body. (As JSON, the framework would write one: null.)"""
    return Response(None, status_code=202, media_type=MediaType.TEXT)
