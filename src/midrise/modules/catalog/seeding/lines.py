"""Reading products from NDJSON: a line is what `POST /v1/products` takes, and `stock_on_hand`."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, BinaryIO

import msgspec

from midrise.foundation.errors import Fault, Invalid, Malformed
from midrise.foundation.http.binding import BodyDecoder
from midrise.foundation.localization import Language, fault_text
from midrise.modules.catalog.products.schemas import ProductToCreate, new_product
from midrise.modules.catalog.seeding.model import LineInvalid, SeedProduct

LONGEST_LINE_BYTES = 1 << 20
LARGEST_STOCK = 2**63 - 1

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ProductLine(ProductToCreate):
    """A line of the file."""

    stock_on_hand: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_STOCK)] = 0


_DECODER = BodyDecoder(ProductLine)


def read_products(file: BinaryIO) -> Iterator[SeedProduct]:
    """The products of a file, one after the other; empty lines are passed over.

    Raises `LineInvalid` at the first line that is no product, with everything that is wrong with it.
    """
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE_BYTES + 1), b""), start=1):
        if len(line) > LONGEST_LINE_BYTES:
            raise LineInvalid(number, f"it is longer than {LONGEST_LINE_BYTES:,} bytes")
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if text.strip():
            yield _seed_product(number, text)


def _seed_product(number: int, text: bytes) -> SeedProduct:
    try:
        line = _DECODER.decode(text)
        product = new_product(line)
        product.check()
    except Invalid as invalid:
        raise LineInvalid(number, _told(invalid.faults)) from None
    except Malformed:
        raise LineInvalid(number, "it is not valid JSON") from None
    return SeedProduct(number, product, line.stock_on_hand)


def _told(faults: Iterable[Fault]) -> str:
    """The faults as one sentence without its end: ``sku is required; price/amount must be 0 or more``."""
    parts = []
    for fault in faults:
        place = (fault.pointer or "").lstrip("/") or "it"
        parts.append(f"{place} {fault_text(fault, Language.ENGLISH)}")
    return "; ".join(parts)
