"""Signing keys: sealed, published, exchanged at once."""

import pytest

from midrise.foundation.errors import Unavailable
from midrise.foundation.security.secrets import MasterSecret, SealBroken
from midrise.foundation.security.signing_keys import (
    KeyRing,
    KeyState,
    generate_signing_key,
    open_private,
    seal_private,
)


def current():
    return generate_signing_key(KeyState.CURRENT)


def test_a_key_survives_its_seal():
    master, key = MasterSecret.generate(), current()
    opened = open_private(
        seal_private(key, master), master, kid=key.kid, public=key.public, state=KeyState.CURRENT
    )
    assert opened == key


def test_the_private_half_never_shows():
    key = current()
    assert repr(key.private) not in repr(key)
    assert key.private not in seal_private(key, MasterSecret.generate())


def test_a_seal_moved_to_another_key_is_broken():
    master, one, other = MasterSecret.generate(), current(), current()
    with pytest.raises(SealBroken):
        open_private(
            seal_private(one, master), master, kid=other.kid, public=one.public, state=KeyState.CURRENT
        )


def test_halves_that_do_not_belong_together_are_refused():
    master, one, other = MasterSecret.generate(), current(), current()
    with pytest.raises(SealBroken, match="does not belong"):
        open_private(
            seal_private(one, master), master, kid=one.kid, public=other.public, state=KeyState.CURRENT
        )


def test_the_document_publishes_all_but_revoked_keys_and_nothing_private():
    states = [KeyState.NEXT, KeyState.CURRENT, KeyState.RETIRED, KeyState.REVOKED]
    keys = [generate_signing_key(state) for state in states]
    published = KeyRing(keys).jwks()["keys"]
    assert [jwk["kid"] for jwk in published] == [key.kid for key in keys[:3]]
    for jwk in published:
        assert set(jwk) == {"kty", "crv", "use", "alg", "kid", "x"}
        assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")


def test_a_ring_needs_exactly_one_current_key():
    with pytest.raises(ValueError, match="exactly one"):
        KeyRing([generate_signing_key(KeyState.NEXT)])
    with pytest.raises(ValueError, match="exactly one"):
        KeyRing([current(), current()])


def test_a_ring_refuses_the_same_key_twice():
    key = current()
    with pytest.raises(ValueError, match="same id"):
        KeyRing([key, key.moved_to(KeyState.RETIRED)])


def test_a_ring_without_keys_is_unavailable_until_they_are_loaded():
    ring = KeyRing()
    with pytest.raises(Unavailable):
        ring.jwks()
    ring.swap([current()])
    assert ring.jwks()["keys"]


def test_a_swap_that_is_refused_leaves_the_ring_as_it_was():
    ring = KeyRing([current()])
    before = ring.keys
    with pytest.raises(ValueError, match="exactly one"):
        ring.swap([])
    assert ring.keys is before


def test_reading_the_same_keys_again_forgets_nothing():
    key = current()
    ring = KeyRing([key])
    before = ring.keys
    ring.swap([key])
    assert ring.keys is before
