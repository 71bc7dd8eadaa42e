"""Forged access tokens get nothing (R7)."""

import pytest
from tests.foundation.security.forger import Forger

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.security.signing_keys import KeyRing, KeyState, generate_signing_key
from midrise.foundation.security.tokens import AccessTokens, TokenSettings

KEY = generate_signing_key(KeyState.CURRENT)
SETTINGS = TokenSettings(issuer="https://api.example", audience="midrise")
FORGER = Forger(KEY, issuer=SETTINGS.issuer, audience=SETTINGS.audience)
FORGERIES = FORGER.forgeries()


def test_a_token_made_by_hand_without_a_fault_passes():
    AccessTokens(SETTINGS, KeyRing([KEY])).verify(FORGER.good())


def test_there_are_enough_of_them():
    assert len(FORGERIES) >= 60


@pytest.mark.parametrize("fault", FORGERIES)
def test_a_forged_token_is_refused(fault):
    tokens = AccessTokens(SETTINGS, KeyRing([KEY]))
    for _ in range(2):  # nothing is remembered of a refusal
        with pytest.raises(Unauthenticated):
            tokens.verify(FORGERIES[fault])
