"""Mails that no server takes lie in a folder that nobody else may read."""

import stat

import pytest
from structlog.testing import capture_logs

from midrise.foundation.mail import FileMailer, Mail, MailRefused
from midrise.foundation.mail import files as mail_files

pytestmark = pytest.mark.anyio

TEXT = "প্রথম সারি\n\nhttps://shop.example/reset-password#token=secret\n"


@pytest.fixture
def mailer(tmp_path) -> FileMailer:
    return FileMailer(tmp_path / "home" / "mail", sender="shop@midrise.test")


async def test_a_mail_is_kept_as_it_was_written(mailer):
    await mailer.send(Mail("rahima@example.com", "আপনার ঠিকানা", TEXT))
    (kept,) = mailer.list_mails()
    assert (kept.recipient, kept.subject, kept.text) == ("rahima@example.com", "আপনার ঠিকানা", TEXT)
    assert mailer.find(kept.name) == kept
    assert mailer.find("other") is None


async def test_the_newest_comes_first(mailer):
    for subject in ("one", "two"):
        await mailer.send(Mail("rahima@example.com", subject, TEXT))
    assert [kept.subject for kept in mailer.list_mails()] == ["two", "one"]
    assert mailer.find("last").subject == "two"


async def test_nobody_else_may_read_them(mailer, tmp_path):
    await mailer.send(Mail("rahima@example.com", "s", TEXT))
    folder = tmp_path / "home" / "mail"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_only_the_newest_are_kept(mailer, monkeypatch):
    monkeypatch.setattr(mail_files, "_MOST_KEPT", 2)
    for subject in ("one", "two", "three"):
        await mailer.send(Mail("rahima@example.com", subject, TEXT))
    assert [kept.subject for kept in mailer.list_mails()] == ["three", "two"]


async def test_what_is_no_address_is_refused_here_as_well(mailer):
    with pytest.raises(MailRefused):
        await mailer.send(Mail("a,b@example.com", "s", TEXT))
    assert mailer.list_mails() == []


async def test_neither_the_log_nor_a_representation_holds_the_text(mailer):
    mail = Mail("rahima@example.com", "s", TEXT)
    with capture_logs() as lines:
        await mailer.send(mail)
    assert "secret" not in f"{lines}{mail}{mailer.list_mails()}"
    assert "rahima" not in f"{lines}"
