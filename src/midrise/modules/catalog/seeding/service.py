"""Fills the catalogue: everything or nothing, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.ids import new_id
from midrise.modules.audit import AuditTrail
from midrise.modules.catalog.products.model import PRODUCTS_GENERATION, NewProduct
from midrise.modules.catalog.seeding.model import Candidate, ProductTaken, Seeded, SeedProduct
from midrise.modules.catalog.seeding.repository import PostgresProductLoading
from midrise.modules.catalog.slugs import slug_candidates

PRODUCTS_AT_ONCE = 5_000
"""Enough that round trips don't count, few enough that a progress bar moves and memory stays small."""


class SeedingAction(StrEnum):
    """What the audit calls a run."""

    SEEDED = "catalogue:seeded"


class CatalogueSeeding:
    """Stores products by the thousand."""

    def __init__(self, database: Database, loading: PostgresProductLoading, *, audit: AuditTrail) -> None:
        self._database = database
        self._loading = loading
        self._audit = audit

    async def seed(
        self,
        products: Iterable[SeedProduct],
        *,
        actor: Actor,
        source: str,
        skip_existing: bool = False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Seeded:
        """Store the products; ``on_progress`` hears of each lot how many it was.

        One whose sku or slug is taken is passed over with ``skip_existing``; without, it raises `ProductTaken`.
        That, and whatever reading ``products`` raises, leaves nothing stored.
        """
        created = skipped = 0
        async with self._database.write() as tx:
            await self._loading.begin(tx)
            for lot in _lots(products):
                taken = await self._store(tx, lot)
                if taken and not skip_existing:
                    raise ProductTaken(taken[0])
                created += len(lot) - len(taken)
                skipped += len(taken)
                on_progress(len(lot))
            await self._loading.end(tx)
            tx.mark(PRODUCTS_GENERATION)
            await self._audit.record(
                tx,
                actor,
                action=SeedingAction.SEEDED,
                resource="catalogue:products",
                changes={"source": source, "created": created, "skipped": skipped},
            )
        return Seeded(created, skipped)

    async def _store(self, tx: WriteUnit, lot: Sequence[SeedProduct]) -> Sequence[SeedProduct]:
        """Store what can be; the products that can't, in their order.

        A product without a slug of its own is tried again with the next one that its name makes.
        """
        now = clock.now()
        waiting = {new_id(): seed for seed in lot}
        slugs = {row_id: _slugs(seed.product, row_id) for row_id, seed in waiting.items()}
        taken: list[SeedProduct] = []
        while waiting:
            candidates: list[Candidate] = []
            for row_id, seed in waiting.items():
                slug = next(slugs[row_id], None)
                if slug is None:
                    taken.append(seed)
                else:
                    candidates.append(Candidate(row_id, slug, seed))
            left_out = await self._loading.store(tx, candidates, created_at=now) if candidates else ()
            waiting = {row_id: waiting[row_id] for row_id in waiting if row_id in left_out}
        return sorted(taken, key=lambda seed: seed.line)


def _lots(products: Iterable[SeedProduct]) -> Iterator[Sequence[SeedProduct]]:
    remaining = iter(products)
    while lot := list(islice(remaining, PRODUCTS_AT_ONCE)):
        yield lot


def _slugs(product: NewProduct, row_id: UUID) -> Iterator[str]:
    return iter([product.slug]) if product.slug else slug_candidates(product.name, row_id)
