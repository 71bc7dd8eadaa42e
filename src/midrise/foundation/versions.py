"""Optimistic concurrency: a change says which version of a resource it is for."""

from dataclasses import dataclass

from midrise.foundation.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions of a resource that a change is meant for; None of them named means whatever is there."""

    versions: tuple[str, ...] | None = None

    def check(self, version: str, *, current: str) -> None:
        """Raises `PreconditionFailed` where the version is not among those expected.

        ``current`` is the whole tag of the present state, for the answer.
        """
        if self.versions is None or "*" in self.versions:
            return
        # Of a tag of two parts ("version.stock_version") the first decides.
        if version not in {tag.partition(".")[0] for tag in self.versions}:
            raise PreconditionFailed(current)
