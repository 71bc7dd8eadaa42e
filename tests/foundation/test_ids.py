"""Identifiers sort by creation."""

from midrise.foundation.ids import new_id


def test_an_id_is_a_uuid_of_version_7():
    assert new_id().version == 7
    assert str(new_id()).islower()


def test_ids_sort_in_the_order_in_which_they_were_made():
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(str(each) for each in made)
    assert len(set(made)) == len(made)
