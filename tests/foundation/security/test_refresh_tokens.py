"""Refresh tokens: computed, not stored; checked without telling how far a guess came."""

import secrets
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.security.refresh_tokens import (
    LARGEST_GENERATION,
    TOKEN_CHARACTERS,
    RefreshTokens,
)
from midrise.foundation.security.secrets import MasterSecret

MASTER = MasterSecret.generate()
TOKENS = RefreshTokens(MASTER)
NONCE = secrets.token_bytes(16)
URL_SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@settings(deadline=None)
@given(st.uuids(), st.integers(0, LARGEST_GENERATION), st.binary(min_size=16, max_size=32))
def test_a_token_says_what_it_was_made_of_and_matches(session_id: UUID, generation: int, nonce: bytes):
    token = TOKENS.issue(session_id, generation, nonce=nonce)
    claims = TOKENS.parse(token)
    assert (claims.session_id, claims.generation) == (session_id, generation)
    assert claims.secret_id == MASTER.secret_id
    assert TOKENS.matches(claims, nonce)


def test_it_is_url_safe_and_of_one_length():
    token = TOKENS.issue(new_id(), 7, nonce=NONCE)
    assert set(token) <= URL_SAFE
    assert len(token) == TOKEN_CHARACTERS


def test_another_instance_computes_the_same_token():
    session_id = new_id()
    twin = RefreshTokens(MasterSecret.from_text(MASTER.text))
    assert twin.issue(session_id, 3, nonce=NONCE) == TOKENS.issue(session_id, 3, nonce=NONCE)


def test_every_generation_session_and_nonce_has_its_own():
    session_id = new_id()
    token = TOKENS.issue(session_id, 3, nonce=NONCE)
    assert token != TOKENS.issue(session_id, 4, nonce=NONCE)
    assert token != TOKENS.issue(new_id(), 3, nonce=NONCE)
    assert not TOKENS.matches(TOKENS.parse(token), secrets.token_bytes(16))


def test_every_changed_character_is_refused_or_does_not_match():
    token = TOKENS.issue(new_id(), 3, nonce=NONCE)
    for position in range(len(token)):
        for other in ("A", "_", "8"):
            changed = token[:position] + other + token[position + 1 :]
            if changed == token:
                continue
            try:
                claims = TOKENS.parse(changed)
            except Unauthenticated:
                continue
            assert not TOKENS.matches(claims, NONCE)


@pytest.mark.parametrize(
    "text",
    ["", "x", "mr_abc", "a" * TOKEN_CHARACTERS, "!" * TOKEN_CHARACTERS, "ä" * TOKEN_CHARACTERS, "a" * 65_536],
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(Unauthenticated):
        TOKENS.parse(text)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_anything_but_a_refusal_or_claims(text: str):
    try:
        claims = TOKENS.parse(text)
    except Unauthenticated:
        return
    assert not TOKENS.matches(claims, NONCE)


def test_padding_and_white_space_make_no_second_spelling():
    token = TOKENS.issue(new_id(), 3, nonce=NONCE)
    for spelling in (token + "=", token + "\n", " " + token, token[:-1] + "=" + token[-1]):
        with pytest.raises(Unauthenticated):
            TOKENS.parse(spelling)


def test_a_strangers_token_does_not_match():
    stranger = RefreshTokens(MasterSecret.generate())
    assert not TOKENS.matches(TOKENS.parse(stranger.issue(new_id(), 1, nonce=NONCE)), NONCE)


def test_a_new_master_secret_keeps_the_tokens_of_the_one_before_it():
    token = TOKENS.issue(new_id(), 1, nonce=NONCE)
    after = RefreshTokens(MasterSecret(secrets.token_bytes(32), previous=[MASTER]))
    assert after.matches(after.parse(token), NONCE)


def test_the_check_value_never_shows():
    claims = TOKENS.parse(TOKENS.issue(new_id(), 1, nonce=NONCE))
    assert repr(claims.mac) not in repr(claims)
