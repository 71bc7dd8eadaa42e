"""Statements are compiled once, and their values are bound, never pasted."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert, literal, select

from midrise.foundation.database import Statement, deletion_of

things = Table("things", MetaData(), Column("name", Text), Column("amount", Integer))


def test_values_are_bound_by_name_in_the_order_of_their_places():
    wanted = select(things.c.name).where(
        things.c.amount > bindparam("least"), things.c.name == bindparam("wanted")
    )
    statement = Statement(wanted)
    assert "$1" in statement.sql
    assert "$2" in statement.sql
    assert statement.arguments({"wanted": "mug", "least": 3}) == [3, "mug"]


def test_what_is_not_asked_for_is_left_out():
    statement = Statement(select(things.c.name).where(things.c.name == bindparam("wanted")))
    assert statement.arguments({"wanted": "mug", "other": 1}) == ["mug"]


def test_a_value_that_is_missing_is_a_bug():
    statement = Statement(select(things.c.name).where(things.c.name == bindparam("wanted")))
    with pytest.raises(KeyError, match="wanted"):
        statement.arguments({})


def test_a_literal_keeps_its_value_and_is_bound_too():
    statement = Statement(select(literal("'; DROP TABLE things")))
    assert "DROP" not in statement.sql
    assert statement.arguments({}) == ["'; DROP TABLE things"]


def test_none_is_a_value():
    statement = Statement(insert(things).values(name=bindparam("new_name")))
    assert statement.arguments({"new_name": None}) == [None]


def test_it_shows_its_sql_and_no_value():
    statement = Statement(select(things.c.name).where(things.c.name == literal("canary")))
    assert "SELECT" in repr(statement)
    assert "canary" not in repr(statement)


def test_a_deletion_looks_for_its_rows_once():
    first = select(things.c.name).where(things.c.amount < bindparam("least")).limit(bindparam("limit"))
    statement = deletion_of(first.with_for_update(skip_locked=True))
    head, asked_once, query = statement.sql.partition("ANY (array((")
    assert head.startswith("DELETE FROM things WHERE things.name = ")
    assert asked_once
    assert query.startswith("SELECT things.name")
    assert statement.arguments({"least": 1, "limit": 5}) == [1, 5]
