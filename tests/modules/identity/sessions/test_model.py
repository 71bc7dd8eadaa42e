"""When a refresh token gives what, and how long a session lives."""

from datetime import UTC, datetime, timedelta

import pytest

from midrise.foundation.ids import new_id
from midrise.modules.identity.sessions.model import (
    Renewal,
    Session,
    StoredSession,
    Tokens,
    next_expiry,
    renewal_of,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def session(**fields) -> Session:
    usual = {"id": new_id(), "user_id": new_id(), "generation": 7, "nonce": b"the nonce", "user_agent": ""}
    times = {"created_at": NOW, "rotated_at": NOW, "expires_at": NOW + timedelta(days=30)}
    return Session(**usual | times | {"address": ""} | fields)


@pytest.mark.parametrize(
    ("generation", "seconds", "renewal"),
    [
        (7, 0, Renewal.ROTATE),
        (7, 1_000_000, Renewal.ROTATE),
        (6, -0.1, Renewal.REPEAT),
        (6, 30, Renewal.REPEAT),
        (6, 30.001, Renewal.REUSED),
        (5, 0, Renewal.REUSED),
        (0, 0, Renewal.REUSED),
        (8, 0, Renewal.REUSED),
    ],
)
def test_a_token_gives_what_its_generation_and_age_allow(generation, seconds, renewal):
    assert (
        renewal_of(StoredSession(session(), is_alive=True, seconds_since_rotation=seconds), generation)
        is renewal
    )


def test_a_session_is_prolonged_by_thirty_days_up_to_half_a_year():
    assert next_expiry(session(), NOW + timedelta(days=10)) == NOW + timedelta(days=40)
    assert next_expiry(session(), NOW + timedelta(days=170)) == NOW + timedelta(days=180)


def test_secrets_are_not_shown_by_accident():
    shown = (
        f"{session()} {Tokens('the access token', 1, refresh_token='the refresh token', refresh_expires_in=1)}"
    )
    for secret in ("the nonce", "the access token", "the refresh token"):
        assert secret not in shown
