"""The master secret: what is refused, what is derived, what is sealed."""

import base64
import os
import secrets

import pytest

from midrise.foundation.security.secrets import (
    ExposedSecret,
    MasterSecret,
    SealBroken,
    SecretRefused,
    WeakSecret,
)


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        text_of(secrets.token_bytes(31)),
        text_of(bytes(32)),
        text_of(b"\xff" * 64),
        text_of(b"changeme" * 8),
        text_of(bytes(range(64))),
        text_of(secrets.token_bytes(20) * 2),
        "not base64url: ä" * 8,
        base64.b64encode(b"\xfb\xff\xbf" * 20).decode(),
    ],
    ids=[
        "empty",
        "word",
        "31 bytes",
        "zeros",
        "ones",
        "word again and again",
        "counting",
        "twice",
        "prose",
        "+/",
    ],
)
def test_a_weak_secret_is_refused_in_one_sentence(text):
    with pytest.raises(WeakSecret) as refused:
        MasterSecret.from_text(text)
    assert str(refused.value).endswith(".")


def test_a_made_secret_survives_its_text():
    made = MasterSecret.generate()
    again = MasterSecret.from_text(made.text + "\n")
    assert again.secret_id == made.secret_id
    assert again.derive("anything") == made.derive("anything")


def test_padding_makes_no_difference():
    raw = secrets.token_bytes(32)
    assert (
        MasterSecret.from_text(text_of(raw)).secret_id
        == MasterSecret.from_text(text_of(raw).rstrip("=")).secret_id
    )


def test_it_never_shows_itself():
    secret = MasterSecret.generate()
    assert secret.text not in repr(secret)
    assert secret.text not in f"{secret}"


def test_each_purpose_has_its_own_key():
    secret = MasterSecret.generate()
    assert secret.derive("one") == secret.derive("one")
    assert secret.derive("one") != secret.derive("other")
    assert len(secret.derive("one")) == 32


def test_two_secrets_derive_different_keys():
    assert MasterSecret.generate().derive("one") != MasterSecret.generate().derive("one")


def test_a_private_file_is_read(tmp_path):
    made = MasterSecret.generate()
    path = tmp_path / "master.secret"
    path.write_text(made.text + "\n")
    path.chmod(0o600)
    assert MasterSecret.read_file(path).secret_id == made.secret_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    path = tmp_path / "master.secret"
    path.write_text(MasterSecret.generate().text)
    path.chmod(mode)
    with pytest.raises(ExposedSecret, match="chmod 600"):
        MasterSecret.read_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of root's")
def test_a_group_may_read_a_file_of_roots(tmp_path, monkeypatch):
    made, path = MasterSecret.generate(), tmp_path / "master.secret"
    path.write_text(made.text)
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    path.chmod(0o440)
    assert MasterSecret.read_file(path).secret_id == made.secret_id
    path.chmod(0o444)
    with pytest.raises(ExposedSecret):
        MasterSecret.read_file(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(SecretRefused, match="No such file"):
        MasterSecret.read_file(tmp_path / "nowhere")


def test_a_folder_is_a_sentence(tmp_path):
    with pytest.raises(SecretRefused):
        MasterSecret.read_file(tmp_path)


@pytest.mark.parametrize("content", [os.urandom(64), b"a" * 100_000], ids=["binary", "huge"])
def test_another_file_is_refused_and_not_shown(tmp_path, content):
    path = tmp_path / "master.secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(WeakSecret) as refused:
        MasterSecret.read_file(path)
    assert "aaaa" not in str(refused.value)


def test_what_was_sealed_opens():
    secret = MasterSecret.generate()
    sealed = secret.seal("notes", b"plain", associated=b"row 1")
    assert b"plain" not in sealed
    assert secret.open("notes", sealed, associated=b"row 1") == b"plain"


def test_the_same_text_is_sealed_differently_each_time():
    secret = MasterSecret.generate()
    assert secret.seal("notes", b"plain") != secret.seal("notes", b"plain")


def test_any_changed_bit_breaks_the_seal():
    secret = MasterSecret.generate()
    sealed = secret.seal("notes", b"plain")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            secret.open("notes", bytes(changed))


def test_any_cut_breaks_the_seal():
    secret = MasterSecret.generate()
    sealed = secret.seal("notes", b"plain")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            secret.open("notes", sealed[:length])


def test_a_seal_opens_only_where_it_belongs():
    secret = MasterSecret.generate()
    sealed = secret.seal("notes", b"plain", associated=b"row 1")
    with pytest.raises(SealBroken):
        secret.open("letters", sealed, associated=b"row 1")
    with pytest.raises(SealBroken):
        secret.open("notes", sealed, associated=b"row 2")


def test_another_secret_does_not_open_it_and_is_named():
    sealer, stranger = MasterSecret.generate(), MasterSecret.generate()
    with pytest.raises(SealBroken, match=sealer.secret_id):
        stranger.open("notes", sealer.seal("notes", b"plain"))


def test_a_successor_opens_what_the_one_before_it_sealed():
    old = MasterSecret.generate()
    new = MasterSecret(secrets.token_bytes(32), previous=[old])
    assert new.open("notes", old.seal("notes", b"plain")) == b"plain"
    with pytest.raises(SealBroken):
        old.open("notes", new.seal("notes", b"plain"))
