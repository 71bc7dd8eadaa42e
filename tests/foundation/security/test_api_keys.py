"""API keys as texts: one spelling each, and nothing forged is read."""

import base64
import hashlib

import pytest

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.security.api_keys import ApiKeyTexts
from midrise.foundation.security.secrets import MasterSecret

MASTER = MasterSecret.generate()


def issued(master=MASTER):
    return ApiKeyTexts(master).issue(new_id(), new_id())


def test_what_was_issued_is_read():
    key_id, user_id = new_id(), new_id()
    text, claims = ApiKeyTexts(MASTER).issue(key_id, user_id)
    assert ApiKeyTexts(MASTER).read(text) == claims
    assert (claims.api_key_id, claims.user_id) == (key_id, user_id)


def test_two_keys_of_the_same_ids_have_nothing_secret_in_common():
    key_id, user_id = new_id(), new_id()
    (text, claims), (other, others) = (ApiKeyTexts(MASTER).issue(key_id, user_id) for _ in range(2))
    assert text != other
    assert claims.digest != others.digest


def test_the_digest_is_that_of_the_secret_alone():
    text, claims = issued()
    raw = base64.urlsafe_b64decode(text.removeprefix("mr_"))
    assert claims.digest == hashlib.sha256(raw[36:68]).digest()


def test_no_character_can_be_changed():
    text, _ = issued()
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(Unauthenticated):
            ApiKeyTexts(MASTER).read(changed)


@pytest.mark.parametrize(
    "change", [str.upper, "{} ".format, "{}\n".format, "{}=".format, lambda text: text[3:]]
)
def test_there_is_no_other_spelling(change):
    text, _ = issued()
    with pytest.raises(Unauthenticated):
        ApiKeyTexts(MASTER).read(change(text))


def test_a_former_master_secret_still_reads_what_it_made():
    text, claims = issued()
    new = MasterSecret.generate()
    changed = MasterSecret.from_text(new.text, previous=[MASTER])
    assert ApiKeyTexts(changed).read(text) == claims
    with pytest.raises(Unauthenticated):
        ApiKeyTexts(new).read(text)
    made_now, _ = issued(changed)
    assert ApiKeyTexts(new).read(made_now)
