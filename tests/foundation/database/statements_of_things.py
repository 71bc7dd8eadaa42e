"""Statements that tests run in the playground."""

from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, func, insert, select

from midrise.foundation.database import Statement

things = Table("things", MetaData(), Column("name", Text), Column("amount", Integer), Column("shelf", Text))

ADD = Statement(insert(things).values(name=bindparam("new_name")))
ADD_AMOUNT = Statement(insert(things).values(name=bindparam("new_name"), amount=bindparam("new_amount")))
ADD_ON_SHELF = Statement(insert(things).values(name=bindparam("new_name"), shelf=bindparam("new_shelf")))
COUNT = Statement(select(func.count()).select_from(things))
NAMES = Statement(select(things.c.name).order_by(things.c.name))
LOCK = Statement(select(things.c.name).where(things.c.name == bindparam("wanted")).with_for_update())
PID = Statement(select(func.pg_backend_pid()))
SLEEP = Statement(select(func.pg_sleep(bindparam("seconds"))))
END_BACKEND = Statement(
    select(func.pg_terminate_backend(func.pg_backend_pid())).where(func.pg_backend_pid() == bindparam("pid"))
)
"""Ends the backend of that number if it is the one that runs this; any other finds nothing to do."""
