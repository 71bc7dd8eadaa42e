"""Insertions that wait go to the server as one statement, whose values stay apart."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, select

from midrise.foundation.database import LateInsert, Statement
from midrise.foundation.database.joined import join

things = Table("things", MetaData(), Column("name", Text), Column("amount", Integer))
ADD = LateInsert.of_row(things)
FIND = Statement(select(things.c.name).where(things.c.name == bindparam("name")).with_for_update())


def test_values_of_the_same_name_do_not_meet():
    joined = join(FIND, ADD, ADD)
    given = joined.arguments({"name": "last"}, [{"name": "a", "amount": 1}, {"name": "b", "amount": 2}])
    assert sorted(map(str, given)) == ["1", "2", "a", "b", "last"]
    assert "last" not in {name for name in given if f"${given.index(name) + 1}" not in joined.sql}


def test_a_value_that_is_missing_is_a_bug():
    with pytest.raises(KeyError, match="amount"):
        join(None, ADD).arguments({}, [{"name": "a"}])


def test_what_is_joined_again_is_built_once():
    assert join(FIND, ADD) is join(FIND, ADD)
    assert join(FIND, ADD) is not join(None, ADD)


def test_nothing_is_pasted():
    assert "'" not in join(FIND, ADD, ADD).sql
