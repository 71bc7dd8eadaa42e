"""Made-up products that look like a real catalogue's."""

from midrise.modules.catalog.demo.products import demo_products

__all__ = ["demo_products"]
