"""A person is given every column that is stored of them, or it is said here why not.

And every table that refers to a person is emptied of them when they are deleted.
"""

from sqlalchemy import Table

from midrise.foundation.database.metadata import metadata
from midrise.modules import installed_modules
from midrise.modules.identity.exports.repository import SHOWN, SHOWN_OF_SESSIONS

OUTLIVES_A_PERSON = {"audit_events.actor_id": "an id without a name: the audit stays readable"}
"""Columns that hold the id of a user without referring to it."""

OF_THE_ACCOUNT = {
    *("users.id", "users.email", "users.name", "users.locale", "users.is_active", "users.email_verified"),
    *("users.created_at", "users.updated_at", "user_roles.role_name"),
}
"""Shown as the account itself."""

KEPT_BACK = {
    "users.password_hash": "secret",
    "users.email_key": "the address once more, as it is compared",
    "users.name_key": "the name once more, as it is searched",
    "users.version": "the ETag",
    "sessions.generation": "what a refresh token is made from",
    "sessions.nonce": "secret",
    "second_factors.sealed_secret": "secret",
    "second_factors.last_step": "which code was used last: of use to a thief alone",
    "recovery_codes.digest": "secret",
    "api_keys.digest": "secret",
    "email_tokens.id": "a name that is of use to the worker alone",
    "email_tokens.email_key": "the address once more, as it is compared",
    "email_tokens.digest": "secret",
}


def tables_of_a_person() -> list[Table]:
    """The users, and the tables that refer to them."""
    assert installed_modules()
    return [
        table
        for table in metadata.sorted_tables
        if table.name == "users" or any(key.column.table.name == "users" for key in table.foreign_keys)
    ]


def referring(table: Table) -> set[str]:
    return {key.parent.name for key in table.foreign_keys if key.column.table.name == "users"}


def test_every_column_of_a_person_is_exported_or_kept_back_for_a_reason() -> None:
    exported = {str(column) for columns in (*SHOWN.values(), SHOWN_OF_SESSIONS) for column in columns}
    stored = {
        str(column)
        for table in tables_of_a_person()
        for column in table.columns
        if column.name not in referring(table)
    }
    undecided = stored - exported - OF_THE_ACCOUNT - KEPT_BACK.keys()
    assert not undecided, (
        f"{', '.join(sorted(undecided))}: is stored of a person. Enter it in SHOWN of identity/exports/"
        "repository.py, so that GET /v1/me/export gives it, or in KEPT_BACK here with the reason."
    )
    assert KEPT_BACK.keys() | OF_THE_ACCOUNT <= stored


def test_whatever_refers_to_a_person_goes_with_them() -> None:
    kept = [
        f"{table.name}.{key.parent.name}"
        for table in tables_of_a_person()
        for key in table.foreign_keys
        if key.column.table.name == "users" and key.ondelete != "CASCADE"
    ]
    assert kept == [], "a deleted person would be kept here, or could not be deleted"


def test_whatever_holds_the_id_of_a_user_refers_to_it() -> None:
    loose = {
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name in {"user_id", "actor_id", "owner_id", "created_by"} and not column.foreign_keys
    }
    assert loose == OUTLIVES_A_PERSON.keys()
