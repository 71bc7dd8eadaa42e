"""The OpenAPI document, made from the routes of the application and the types of its bodies and answers.

Litestar makes such a document too. It drops bounds that are zero, says ``oneOf`` of numbers that are both an
integer and a number, and knows nothing of who may call or of our errors; most of it would have to be taken
apart again.
"""

from midrise.foundation.http.openapi.calls import Call, calls_of
from midrise.foundation.http.openapi.document import document_of
from midrise.foundation.http.openapi.serving import OpenApi

__all__ = ["Call", "OpenApi", "calls_of", "document_of"]
