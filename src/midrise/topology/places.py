"""Where the embedded servers have their data, and which of them is the primary: their folders tell.

    postgres/primary      port 5432    made first
    postgres/replica.N    port 5432+N  made as its copy

Folder and port belong to a server for ever; what it is called follows from what it is. The primary is the
server whose folder does not say that it follows another (``standby.signal``), on the newest timeline if there
are two such; it is called ``postgres.primary``, wherever its data are. The others are ``postgres.replica.N`` by
their folders, and the one in ``postgres/primary``, when it is the primary no more, gets the number that is then
free. So no record can contradict the data, at whatever moment a promotion is broken off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from midrise.topology.errors import Refused

FIRST_PORT = 5432


@dataclass(frozen=True, slots=True)
class Place:
    """The folder and the port of one server; number 0 was made first."""

    postgres: Path
    number: int

    @property
    def folder(self) -> Path:
        return self.postgres / (f"replica.{self.number}" if self.number else "primary")

    @property
    def port(self) -> int:
        return FIRST_PORT + self.number


def find_primary(postgres: Path) -> Place:
    """The place of the primary; the first one where there are no data yet.

    Raises Refused where the folders don't tell which one it is.
    """
    folders = sorted(path.parent for path in postgres.glob("*/PG_VERSION"))
    places = [place for place in map(_place, folders) if place is not None]
    primaries = [place for place in places if is_primary(place.folder)]
    if places and not primaries:
        _refuse_lost(postgres, places)
    newest = max((timeline_of(place.folder) for place in primaries), default=0)
    found = [place for place in primaries if timeline_of(place.folder) == newest]
    if len(found) > 1:
        raise Refused(
            f"{found[0].folder} and {found[1].folder} both hold a primary of timeline {newest}: "
            "move the one away that is not to be used"
        )
    return found[0] if found else Place(postgres, 0)


def replica_places(primary: Place, count: int) -> list[Place]:
    """The places of so many replicas of a primary."""
    own = range(1, count + 1)
    return [Place(primary.postgres, 0 if number == primary.number else number) for number in own]


def replica_numbers(places: Sequence[Place], primary: Place) -> Mapping[Place, int]:
    """What the N of each replica's name is: the number of its folder, or else one that is free."""
    replicas = sorted((place for place in places if place != primary), key=lambda place: place.number)
    own = {place: place.number for place in replicas if 0 < place.number <= len(replicas)}
    free = (number for number in range(1, len(replicas) + 1) if number not in own.values())
    return {place: own[place] if place in own else next(free) for place in replicas}


def is_primary(folder: Path) -> bool:
    """Whether the server of a folder follows no other, nor is half on its way to."""
    return not (folder / "standby.signal").exists() and not rewinding_mark(folder).exists()


def timeline_of(folder: Path) -> int:
    """The newest timeline that a folder knows: each promotion leaves the history of the one that it began."""
    histories = (folder / "pg_wal").glob("[0-9A-F]" * 8 + ".history")
    return max((int(path.stem, 16) for path in histories), default=1)


def rewinding_mark(folder: Path) -> Path:
    """Stands beside a folder whose data are being taken back, and are of no use until that is done."""
    return folder.with_name(f"{folder.name}.rewinding")


def _place(folder: Path) -> Place | None:
    if folder.name == "primary":
        return Place(folder.parent, 0)
    kind, _, number = folder.name.partition(".")
    return Place(folder.parent, int(number)) if kind == "replica" and number.isdigit() else None


def _refuse_lost(postgres: Path, replicas: list[Place]) -> None:
    """An empty primary would be copied over what may be the last copy of all data."""
    first, replica = Place(postgres, 0).folder, replicas[-1].folder
    if first.exists():
        raise Refused(
            f"The folders in {postgres} hold replicas alone, and no primary: put its folder back, or remove "
            "standby.signal from the folder that is to be the primary"
        )
    raise Refused(
        f"{first} is missing, but its replica {replica} is there: put it "
        "back from a backup or that replica, or remove the replica to begin with an empty database"
    )
