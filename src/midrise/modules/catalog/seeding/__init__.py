"""Filling the catalogue with many products at once, by COPY."""
