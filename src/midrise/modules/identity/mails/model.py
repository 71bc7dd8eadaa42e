"""Which mails there are, what they say in which language, and the jobs that send them."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import ClassVar
from uuid import UUID

from midrise.foundation.jobs import QueuedJob
from midrise.foundation.mail import Mail
from midrise.modules.identity.users.model import Locale

_PAGES = {"verification": "verify-email", "change": "verify-email", "reset": "reset-password"}
"""The page of the front end that each kind of token is for."""


class Notice(StrEnum):
    """What a person is told, that nothing need be done about."""

    CHANGE_ASKED = "change_asked"
    """To the present address: another one was asked for."""
    EMAIL_CHANGED = "email_changed"
    """To the old address: it is no longer the account's."""
    PASSWORD_RESET = "password_reset"  # noqa: S105  a name, no password


@dataclass(frozen=True, slots=True)
class TokenMailOwed(QueuedJob):
    """A token was asked for: make its secret and mail it."""

    name: ClassVar[str] = "identity.mail_token"

    token_id: UUID


@dataclass(frozen=True, slots=True)
class NoticeOwed(QueuedJob):
    """Somebody is to be told something. The address stands here: the account may have another one by now."""

    name: ClassVar[str] = "identity.mail_notice"

    email: str
    locale: Locale
    notice: Notice


def token_mail(purpose: str, *, email: str, locale: Locale, secret: str, public_url: str) -> Mail:
    """The mail with a token.

    The secret stands behind the ``#`` of the link, so that no server that the link leads to has it in its log.
    """
    link = f"{public_url}/{_PAGES[purpose]}#token={secret}"
    return _mail(purpose, email, locale, link=link, token=secret)


def notice_mail(notice: Notice, *, email: str, locale: Locale) -> Mail:
    """The mail that tells somebody something."""
    return _mail(notice.value, email, locale)


def _mail(kind: str, email: str, locale: Locale, **values: str) -> Mail:
    # Nothing that a stranger can choose (a name) stands in a mail: whoever registers chooses the recipient.
    texts = _texts(locale)[kind]
    return Mail(recipient=email, subject=texts["subject"], text=texts["text"].format(**values))


@cache
def _texts(locale: Locale) -> dict[str, dict[str, str]]:
    path = files("midrise.modules.identity.mails") / "texts" / f"{locale}.toml"
    return tomllib.loads(path.read_text("utf-8"))
