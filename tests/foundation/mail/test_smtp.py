"""Mails reach an SMTP server, encrypted unless that was switched off, and no error carries an address."""

import pytest
from tests.foundation.conftest import free_port

from midrise.foundation.mail import Mail, MailRefused
from midrise.foundation.mail.smtp import SmtpEndpoint, SmtpMailer, SmtpTls, SmtpTrouble, SmtpUrlRefused

pytestmark = pytest.mark.anyio

MAIL = Mail("rahima@example.com", "আপনার ঠিকানা", "প্রথম সারি\n.\n" + "a long line " * 200 + "\n")
SENDER = "shop@midrise.test"


def mailer(server, *, scheme: str = "smtp", more: str = "?tls=none") -> SmtpMailer:
    return SmtpMailer(SmtpEndpoint.parse(f"{scheme}://127.0.0.1:{server.port}{more}"), sender=SENDER)


async def test_a_mail_arrives_as_it_was_written(start_server):
    server = await start_server()
    await mailer(server).send(MAIL)
    (envelope,), (message,) = server.envelopes, server.messages()
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["rahima@example.com"])
    assert message["To"] == "rahima@example.com"
    assert message["From"] == SENDER
    assert message["Subject"] == "আপনার ঠিকানা"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@midrise.test>")
    assert message.get_content().replace("\r\n", "\n") == MAIL.text


async def test_starttls_comes_before_the_password(start_server, certificate):
    server = await start_server(certificate=certificate, require_starttls=True, auth_required=True)
    server_options = f"?ca_file={certificate}"
    endpoint = SmtpEndpoint.parse(f"smtp://shop:p%40ss@127.0.0.1:{server.port}{server_options}")
    with pytest.raises(SmtpTrouble):  # its only fault: nobody has told the server whom to let in
        await SmtpMailer(endpoint, sender=SENDER).send(MAIL)
    other = await start_server(certificate=certificate, require_starttls=True)
    await mailer(other, more=server_options).send(MAIL)
    assert len(other.envelopes) == 1


async def test_tls_from_the_first_byte(start_server, certificate):
    server = await start_server(certificate=certificate, implicit_tls=True)
    await mailer(server, scheme="smtps", more=f"?ca_file={certificate}").send(MAIL)
    assert len(server.envelopes) == 1


async def test_a_password_is_given(start_server, certificate):
    server = await start_server(certificate=certificate, require_starttls=True)
    server_with_logins = await start_server(
        certificate=certificate, require_starttls=True, auth_required=True, authenticator=server.authenticate
    )
    url = f"smtp://shop:p%40ss@127.0.0.1:{server_with_logins.port}?ca_file={certificate}"
    await SmtpMailer(SmtpEndpoint.parse(url), sender=SENDER).send(MAIL)
    assert server.logins == [(b"shop", b"p@ss")]


async def test_a_server_without_tls_gets_nothing_unless_that_was_allowed(start_server):
    server = await start_server()
    with pytest.raises(SmtpTrouble):
        await mailer(server, more="").send(MAIL)
    assert server.envelopes == []


async def test_a_server_that_nobody_vouches_for_gets_nothing(start_server, certificate):
    server = await start_server(certificate=certificate)
    with pytest.raises(SmtpTrouble):
        await mailer(server, more="").send(MAIL)
    assert server.envelopes == []


@pytest.mark.parametrize(
    ("what", "answer", "error"),
    [
        ("answer_to_recipient", "550 nobody of that name", MailRefused),
        ("answer_to_recipient", "450 later", SmtpTrouble),
        ("answer_to_data", "554 no such mails", MailRefused),
        ("answer_to_data", "451 later", SmtpTrouble),
    ],
)
async def test_refusals_for_good_and_for_now_are_told_apart(start_server, what, answer, error):
    server = await start_server()
    setattr(server, what, answer)
    with pytest.raises(error) as raised:
        await mailer(server).send(MAIL)
    assert answer[:3] in str(raised.value)
    assert "rahima" not in repr(raised.value)
    assert raised.value.__suppress_context__


async def test_a_server_that_is_away_is_tried_again():
    endpoint = SmtpEndpoint.parse(f"smtp://127.0.0.1:{free_port()}?tls=none")
    with pytest.raises(SmtpTrouble):
        await SmtpMailer(endpoint, sender=SENDER).send(MAIL)


@pytest.mark.parametrize(
    "address",
    [
        "a,b@example.com",
        "<rahima@example.com",
        "rahima@example.com>",
        '"x@example.com',
        "rahima(comment)@example.com",
        "a;b@example.com",
        "@example.com",
        "rahima@",
        "rahima@" + "a" * 64 + ".com",
        "rahima\r\nBcc: other@example.com",
    ],
)
async def test_what_is_no_single_address_is_refused_without_asking(start_server, address):
    server = await start_server()
    with pytest.raises(MailRefused):
        await mailer(server).send(Mail(address, "s", "t"))
    assert server.envelopes == []


async def test_a_subject_is_one_line(start_server):
    server = await start_server()
    with pytest.raises(ValueError, match="linefeed"):
        await mailer(server).send(Mail("rahima@example.com", "one\r\nBcc: other@example.com", "t"))
    assert server.envelopes == []


async def test_domains_and_names_of_other_scripts(start_server):
    server = await start_server(enable_SMTPUTF8=True)
    await mailer(server).send(Mail("rahima@বাংলা.example", "s", "t"))
    await mailer(server).send(Mail("রহিমা@example.com", "s", "t"))
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [
        ["rahima@xn--54b7fta0cc.example"],
        ["রহিমা@example.com"],
    ]
    old = await start_server()
    with pytest.raises(MailRefused):
        await mailer(old).send(Mail("রহিমা@example.com", "s", "t"))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("smtps://mx.example", SmtpEndpoint("mx.example", 465, SmtpTls.AT_ONCE)),
        ("smtp://mx.example", SmtpEndpoint("mx.example", 587, SmtpTls.STARTTLS)),
        ("smtp://mx.example?tls=none", SmtpEndpoint("mx.example", 25, SmtpTls.NEVER)),
        ("smtp://u:p%3A@mx:26/", SmtpEndpoint("mx", 26, SmtpTls.STARTTLS, username="u", password="p:")),
    ],
)
def test_urls_that_can_be_used(url, endpoint):
    assert SmtpEndpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "http://mx.example",
        "smtp://",
        "smtp://mx:99999",
        "smtp://mx.example?tls=off",
        "smtps://mx.example?tls=none",
        "smtp://mx.example?other=1",
        "smtp://shop:hunter2@mx.example?tls=none",
        "smtp://shop:hunter2@mx.example/path",
    ],
)
def test_urls_that_can_not_be_used_are_refused_without_their_password(url):
    with pytest.raises(SmtpUrlRefused) as refused:
        SmtpEndpoint.parse(url)
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(SmtpEndpoint.parse("smtp://shop:hunter2@mx.example"))
