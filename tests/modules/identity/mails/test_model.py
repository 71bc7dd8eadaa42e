"""Every mail says the same in every language, and carries what it is sent for."""

import tomllib
from importlib.resources import files
from string import Formatter

import pytest

from midrise.modules.identity.email_tokens.model import EmailPurpose
from midrise.modules.identity.mails.model import Notice, notice_mail, token_mail
from midrise.modules.identity.users.model import Locale

KINDS = {*EmailPurpose, *Notice}


def texts(locale: Locale) -> dict[str, dict[str, str]]:
    path = files("midrise.modules.identity.mails") / "texts" / f"{locale}.toml"
    return tomllib.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("locale", Locale)
def test_every_mail_is_there_in_every_language(locale):
    assert set(texts(locale)) == {kind.value for kind in KINDS}
    for kind, mail in texts(locale).items():
        assert set(mail) == {"subject", "text"}
        assert "\n" not in mail["subject"]
        places = {name for _, name, _, _ in Formatter().parse(mail["text"]) if name}
        assert places == ({"link", "token"} if kind in set(EmailPurpose) else set())


@pytest.mark.parametrize("locale", Locale)
@pytest.mark.parametrize("purpose", EmailPurpose)
def test_a_link_keeps_its_token_from_servers(purpose, locale):
    mail = token_mail(
        purpose, email="rahima@example.com", locale=locale, secret="Secret-1", public_url="https://shop.example"
    )
    page = "reset-password" if purpose is EmailPurpose.RESET else "verify-email"
    assert f"https://shop.example/{page}#token=Secret-1\n" in mail.text
    assert mail.text.count("Secret-1") == 2
    assert "Secret-1" not in repr(mail)


def test_languages_differ():
    mails = {notice_mail(Notice.PASSWORD_RESET, email="a@b", locale=locale).subject for locale in Locale}
    assert len(mails) == len(Locale)
