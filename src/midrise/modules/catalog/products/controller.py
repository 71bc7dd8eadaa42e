"""`/v1/products`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter, RequestBody

from midrise.foundation.http.access import ANYONE, needs
from midrise.foundation.http.caching import Cached
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.money import LARGEST_AMOUNT, Currency
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.catalog.products.model import (
    PRODUCTS_GENERATION,
    PRODUCTS_WRITE,
    ProductFilter,
    ProductSort,
    ProductStatus,
    SkuTaken,
    SlugTaken,
    product_generation,
)
from midrise.modules.catalog.products.schemas import (
    ProductShown,
    ProductToChange,
    ProductToCreate,
    new_product,
    product_changes,
    product_shown,
)
from midrise.modules.catalog.products.service import Products
from midrise.modules.catalog.slugs import LONGEST_SLUG

ProductsService = Injected[Products]
ProductId = Annotated[UUID, PathParameter(description="The product's id")]
SlugInPath = Annotated[
    str,
    PathParameter(
        min_length=1,
        max_length=LONGEST_SLUG,
        description="The product's slug",
        examples=[Example(value="blue-mug-350-ml")],
    ),
]
OfStatus = Annotated[
    ProductStatus | None,
    QueryParameter(description="Without `products:write` there are only active ones"),
]
PriceMin = Annotated[
    int | None,
    QueryParameter(ge=0, le=LARGEST_AMOUNT, description="From this amount on, in minor units"),
]
PriceMax = Annotated[
    int | None,
    QueryParameter(ge=0, le=LARGEST_AMOUNT, description="Up to this amount, in minor units"),
]
InCurrency = Annotated[Currency | None, QueryParameter(description="Priced in this currency")]
InStock = Annotated[bool | None, QueryParameter(description="Whether there is some left to be sold")]
SortBy = Annotated[
    ProductSort, QueryParameter(description="`-` turns an order round; newest first if left out")
]

# Nothing personal, but drafts are shown to some: a browser may keep it, and must ask whether it still stands.
_ASK_AGAIN = "private, no-cache"


class ProductsController(Controller):
    """Products."""

    path = "/v1/products"
    tags = ("Products",)

    @get(
        access=ANYONE,
        cached=Cached(PRODUCTS_GENERATION, split_by=PRODUCTS_WRITE),
        summary="List products",
    )
    async def list_products(
        self,
        actor: CurrentActor,
        products: ProductsService,
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
        sort: SortBy = ProductSort.NEWEST,
        status: OfStatus = None,
        price_min: PriceMin = None,
        price_max: PriceMax = None,
        currency: InCurrency = None,
        in_stock: InStock = None,
    ) -> Response[ListOf[ProductShown]]:
        """Callers without `products:write` see the active ones."""
        wanted = ProductFilter(status, price_min, price_max, currency, in_stock)
        page = listing.page(limit, cursor, keys=sort.key_types)
        found = await products.list_products(actor, wanted, sort=sort, page=page)
        return listing.answer(found.map(product_shown), headers={"cache-control": _ASK_AGAIN})

    @get(
        "/{product_id:uuid}",
        access=ANYONE,
        cached=Cached(product_generation("{product_id}"), split_by=PRODUCTS_WRITE),
        summary="Read a product",
    )
    async def get_product(
        self,
        actor: CurrentActor,
        products: ProductsService,
        product_id: ProductId,
        if_none_match: IfNoneMatch = None,
    ) -> Response[ProductShown]:
        """A draft or an archived product is not found without `products:write`."""
        product = await products.get_product(actor, product_id)
        return resource_answer(
            product_shown(product), tag=product.tag, if_none_match=if_none_match, cache_control=_ASK_AGAIN
        )

    @get(
        "/by-slug/{slug:str}",
        access=ANYONE,
        cached=Cached(PRODUCTS_GENERATION, split_by=PRODUCTS_WRITE),
        summary="Read a product by its slug",
    )
    async def get_product_by_slug(
        self,
        actor: CurrentActor,
        products: ProductsService,
        slug: SlugInPath,
        if_none_match: IfNoneMatch = None,
    ) -> Response[ProductShown]:
        """As by its id."""
        product = await products.get_product_by_slug(actor, slug)
        return resource_answer(
            product_shown(product), tag=product.tag, if_none_match=if_none_match, cache_control=_ASK_AGAIN
        )

    @post(access=needs(PRODUCTS_WRITE), summary="Create a product", errors=(SkuTaken, SlugTaken))
    async def create_product(
        self, actor: CurrentActor, products: ProductsService, data: RequestBody[ProductToCreate]
    ) -> Response[ProductShown]:
        """A slug that is made from the name and already taken gets a suffix; one that is given is refused."""
        product = await products.create(actor, new_product(data))
        return resource_answer(
            product_shown(product),
            tag=product.tag,
            status_code=201,
            location=f"/v1/products/{product.id}",
        )

    @patch(
        "/{product_id:uuid}",
        access=needs(PRODUCTS_WRITE),
        summary="Change a product",
        errors=(SkuTaken, SlugTaken),
    )
    async def change_product(
        self,
        actor: CurrentActor,
        products: ProductsService,
        product_id: ProductId,
        data: RequestBody[ProductToChange],
        if_match: IfMatch = None,
    ) -> Response[ProductShown]:
        """JSON Merge Patch (RFC 7396). A change that changes nothing leaves the `ETag` as it is."""
        product = await products.change(
            actor, product_id, changes=product_changes(data), expected=expected(if_match)
        )
        return resource_answer(product_shown(product), tag=product.tag)

    @delete("/{product_id:uuid}", access=needs(PRODUCTS_WRITE), summary="Delete a product")
    async def delete_product(
        self,
        actor: CurrentActor,
        products: ProductsService,
        product_id: ProductId,
        if_match: IfMatch = None,
    ) -> None:
        """For good; to take it out of sight alone, set its `status` to `archived`."""
        await products.delete(actor, product_id, expected=expected(if_match))
