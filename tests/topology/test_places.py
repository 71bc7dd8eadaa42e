"""The folders of the servers tell which one is the primary, and what each is called."""

from pathlib import Path

import pytest

from midrise.topology.errors import Refused
from midrise.topology.places import Place, find_primary, replica_numbers, replica_places, rewinding_mark


def lay_out(postgres: Path, name: str, *, follows: bool, timeline: int = 1) -> Path:
    folder = postgres / name
    (folder / "pg_wal").mkdir(parents=True)
    (folder / "PG_VERSION").write_text("18\n")
    for number in range(2, timeline + 1):
        (folder / "pg_wal" / f"{number:08X}.history").touch()
    if follows:
        (folder / "standby.signal").touch()
    return folder


def names(postgres: Path, *, replicas: int) -> dict[str, int]:
    """The folder of every replica by its name's number."""
    primary = find_primary(postgres)
    places = [primary, *replica_places(primary, replicas)]
    return {place.folder.name: number for place, number in replica_numbers(places, primary).items()}


def test_without_data_the_first_folder_becomes_the_primary(folder):
    assert find_primary(folder) == Place(folder, 0)
    assert names(folder, replicas=2) == {"replica.1": 1, "replica.2": 2}


def test_the_primary_is_the_server_that_follows_no_other(folder):
    lay_out(folder, "primary", follows=True)
    lay_out(folder, "replica.1", follows=True)
    lay_out(folder, "replica.2", follows=False)
    found = find_primary(folder)
    assert (found.folder.name, found.port) == ("replica.2", 5434)
    assert names(folder, replicas=2) == {"replica.1": 1, "primary": 2}


def test_of_two_that_follow_no_other_the_one_on_the_newest_timeline_is_the_primary(folder):
    lay_out(folder, "primary", follows=False, timeline=9)
    lay_out(folder, "replica.1", follows=False, timeline=10)
    assert find_primary(folder).folder.name == "replica.1"


def test_a_folder_whose_rewind_was_broken_off_is_no_primary(folder):
    lay_out(folder, "replica.1", follows=False, timeline=2)
    rewinding_mark(lay_out(folder, "primary", follows=False, timeline=2)).touch()
    assert find_primary(folder).folder.name == "replica.1"


def test_fewer_replicas_than_before_keep_the_primary_where_it_is(folder):
    lay_out(folder, "primary", follows=True)
    lay_out(folder, "replica.2", follows=False, timeline=2)
    assert names(folder, replicas=1) == {"replica.1": 1}
    assert names(folder, replicas=0) == {}


def test_the_number_of_a_folder_that_is_too_high_is_made_a_free_one(folder):
    places = [Place(folder, 1), Place(folder, 2)]
    assert replica_numbers(places, Place(folder, 1)) == {Place(folder, 2): 1}


def test_unfinished_and_old_folders_are_none_of_the_servers(folder):
    lay_out(folder, "primary", follows=False)
    lay_out(folder, "replica.1.old", follows=False, timeline=5)
    lay_out(folder, "primary.unfinished.x", follows=False, timeline=5)
    assert find_primary(folder) == Place(folder, 0)


def test_replicas_without_a_primary_are_refused(folder):
    replica = lay_out(folder, "replica.1", follows=True)
    with pytest.raises(Refused, match=f"primary is missing, but its replica {replica} is there"):
        find_primary(folder)
    lay_out(folder, "primary", follows=True)
    with pytest.raises(Refused, match="hold replicas alone, and no primary"):
        find_primary(folder)


def test_two_primaries_of_one_timeline_are_refused(folder):
    lay_out(folder, "primary", follows=False)
    lay_out(folder, "replica.1", follows=False)
    with pytest.raises(Refused, match="both hold a primary of timeline 1"):
        find_primary(folder)
