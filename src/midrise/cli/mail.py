"""`midrise mail`: the mails that are kept as files because no mail server is set."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from midrise.cli.process import settings_of_command
from midrise.settings import Settings

if TYPE_CHECKING:
    from midrise.foundation.mail import FileMailer

mail = typer.Typer(help="Kept mails.", no_args_is_help=True)


@mail.callback()
def _mails() -> None:
    """The mails that the worker keeps as files where MIDRISE_SMTP_URL is not set."""


@mail.command("list")
def list_mails(*, as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False) -> None:
    """List the kept mails, the newest first."""
    mails = _mailer(settings_of_command()).list_mails()
    if as_json:
        rows = [
            {"name": m.name, "sent_at": m.sent_at.isoformat(), "to": m.recipient, "subject": m.subject}
            for m in mails
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for each in mails:
        typer.echo(f"{each.name}  {each.sent_at:%Y-%m-%d %H:%M:%S}  {each.recipient}  {each.subject}")
    if not mails:
        typer.echo("There are no mails.", err=True)


@mail.command()
def show(
    name: Annotated[str, typer.Argument(help="A mail as `midrise mail list` names it.")] = "last",
) -> None:
    """Show a kept mail, the newest one if no name is given."""
    found = _mailer(settings_of_command()).find(name)
    if found is None:
        typer.echo("There is no such mail.", err=True)
        raise typer.Exit(1)
    typer.echo(f"To: {found.recipient}\nDate: {found.sent_at:%Y-%m-%d %H:%M:%S}\nSubject: {found.subject}\n")
    typer.echo(found.text)


def _mailer(settings: Settings) -> "FileMailer":
    from midrise.foundation.mail.files import FileMailer

    return FileMailer(settings.mail_folder, sender=settings.mail.sender)
