"""The codes are those of RFC 2104, whatever the key's length."""

import hmac

import pytest

from midrise.foundation.security.macs import Mac


@pytest.mark.parametrize("key_bytes", [0, 1, 32, 63, 64, 65, 200])
@pytest.mark.parametrize("message", [b"", b"what is signed", b"x" * 1000])
def test_a_code_is_what_the_standard_library_makes(key_bytes, message):
    key = bytes(range(key_bytes))
    assert Mac(key).digest(message) == hmac.digest(key, message, "sha256")


def test_a_code_is_that_of_the_standard():
    # RFC 4231, section 4.3
    code = Mac(b"Jefe").digest(b"what do ya want for nothing?")
    assert code.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_each_message_has_its_own_code_whatever_came_before():
    mac = Mac(b"key")
    first = mac.digest(b"one")
    assert mac.digest(b"two") != first
    assert mac.digest(b"one") == first
