"""Access tokens: what is issued verifies, and nothing is remembered too long."""

import base64
import json
import sys

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from midrise.foundation import clock
from midrise.foundation.errors import Unauthenticated, Unavailable
from midrise.foundation.ids import new_id
from midrise.foundation.security.signing_keys import (
    KeyRing,
    KeyState,
    SigningKey,
    generate_signing_key,
    header_segment,
)
from midrise.foundation.security.tokens import AccessTokens, TokenSettings

USER, SESSION = new_id(), new_id()
NO_LEEWAY = TokenSettings(leeway_seconds=0)


def current() -> SigningKey:
    return generate_signing_key(KeyState.CURRENT)


def tokens_with(*keys: SigningKey, settings: TokenSettings = NO_LEEWAY) -> tuple[AccessTokens, KeyRing]:
    ring = KeyRing(keys)
    return AccessTokens(settings, ring), ring


def part(token: str, index: int) -> dict[str, object]:
    segment = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def test_a_token_says_whose_it_is_and_which_session():
    tokens, _ = tokens_with(current())
    claims = tokens.verify(tokens.issue(USER, SESSION))
    assert (claims.user_id, claims.session_id) == (USER, SESSION)
    assert claims.expires_at == claims.issued_at + 600


def test_it_carries_what_the_contract_names_and_no_more():
    key = current()
    tokens, _ = tokens_with(key, settings=TokenSettings(issuer="https://api.example", audience="shop"))
    token = tokens.issue(USER, SESSION)
    assert part(token, 0) == {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}
    payload = part(token, 1)
    assert set(payload) == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert (payload["iss"], payload["aud"]) == ("https://api.example", "shop")


def test_each_token_has_an_id_of_its_own():
    tokens, _ = tokens_with(current())
    assert tokens.issue(USER, SESSION) != tokens.issue(USER, SESSION)


def test_its_header_is_the_one_that_the_ring_expects():
    key = current()
    tokens, _ = tokens_with(key)
    assert tokens.issue(USER, SESSION).split(".")[0] == header_segment(key.kid)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_another_service_verifies_it_with_the_published_keys():
    tokens, ring = tokens_with(current(), generate_signing_key())
    token = tokens.issue(USER, SESSION)
    read = jwt.decode(token, KeySet.import_key_set(ring.jwks()), algorithms=["EdDSA"])
    assert read.claims["sub"] == str(USER)


def test_before_the_keys_are_loaded_nobody_is_told_that_a_token_is_wrong():
    token = tokens_with(current())[0].issue(USER, SESSION)
    waiting = AccessTokens(NO_LEEWAY, KeyRing())
    with pytest.raises(Unavailable):
        waiting.verify(token)
    with pytest.raises(Unavailable):
        waiting.issue(USER, SESSION)


def test_a_token_ends_when_it_says():
    tokens, _ = tokens_with(current(), settings=TokenSettings(lifetime_seconds=0, leeway_seconds=0))
    with pytest.raises(Unauthenticated):
        tokens.verify(tokens.issue(USER, SESSION))


def test_a_remembered_token_ends_all_the_same(monkeypatch):
    tokens, _ = tokens_with(current())
    token = tokens.issue(USER, SESSION)
    tokens.verify(token)
    end = clock.timestamp() + 600
    monkeypatch.setattr(clock, "timestamp", lambda: end)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_clocks_may_differ_by_the_leeway(monkeypatch):
    tokens, _ = tokens_with(current(), settings=TokenSettings(leeway_seconds=5))
    now = clock.timestamp()
    monkeypatch.setattr(clock, "timestamp", lambda: now + 4)
    token = tokens.issue(USER, SESSION)
    monkeypatch.setattr(clock, "timestamp", lambda: now)
    tokens.verify(token)


def test_a_retired_key_still_verifies_and_signs_no_longer():
    old, new = current(), generate_signing_key()
    tokens, ring = tokens_with(old, new)
    token = tokens.issue(USER, SESSION)
    ring.swap([old.moved_to(KeyState.RETIRED), new.moved_to(KeyState.CURRENT)])
    assert tokens.verify(token).user_id == USER
    assert part(tokens.issue(USER, SESSION), 0)["kid"] == new.kid


def test_the_next_key_verifies_before_this_process_has_seen_it_sign():
    old, new = current(), generate_signing_key()
    behind, _ = tokens_with(old, new)
    ahead, _ = tokens_with(old.moved_to(KeyState.RETIRED), new.moved_to(KeyState.CURRENT))
    assert behind.verify(ahead.issue(USER, SESSION)).user_id == USER


@pytest.mark.parametrize("way", ["revoked", "gone"])
def test_a_revoked_key_kills_its_tokens_also_the_remembered_ones(way):
    old, new = current(), current()
    tokens, ring = tokens_with(old)
    token = tokens.issue(USER, SESSION)
    tokens.verify(token)
    ring.swap([new, old.moved_to(KeyState.REVOKED)] if way == "revoked" else [new])
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_a_signature_is_checked_once(monkeypatch):
    tokens, _ = tokens_with(current())
    token = tokens.issue(USER, SESSION)
    first = tokens.verify(token)
    monkeypatch.setattr(tokens, "_check", lambda _: pytest.fail("checked again"))
    assert tokens.verify(token) is first


def test_memory_is_bounded_and_keeps_what_is_used():
    tokens, _ = tokens_with(current(), settings=TokenSettings(most_remembered=10))
    used = tokens.issue(USER, SESSION)
    kept = tokens.verify(used)
    for _ in range(50):
        tokens.verify(tokens.issue(USER, SESSION))
        assert tokens.verify(used) is kept
    assert len(tokens._remembered) == 10


def test_memory_holds_no_token():
    tokens, _ = tokens_with(current())
    token = tokens.issue(USER, SESSION)
    tokens.verify(token)
    assert sys.getsizeof(next(iter(tokens._remembered))) < 80
    assert all(token.encode() not in digest for digest in tokens._remembered)
