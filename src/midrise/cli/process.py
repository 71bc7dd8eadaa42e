"""What commands that talk to the database share: settings, and one sentence for what can't be done."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from midrise.foundation.errors import AppError, Invalid
from midrise.settings import Settings, load_or_exit


def settings_of_process() -> Settings:
    """The settings; one sentence a fault and exit code 2 where they can't be used."""
    return load_or_exit()


@contextmanager
def refuse_or() -> Iterator[None]:
    """Turn what stands against a command into its sentence on standard error and exit code 1."""
    from midrise.app import SettingMissing
    from midrise.foundation.http.access import AccessUndeclared
    from midrise.foundation.localization import Language, fault_text
    from midrise.foundation.security.secrets import SealBroken, SecretRefused

    try:
        yield
    except (SettingMissing, SecretRefused, SealBroken, AccessUndeclared, ValueError, OSError) as refused:
        _refuse(str(refused))
    except Invalid as invalid:
        _refuse(
            "; ".join(
                f"{fault.pointer or ''} {fault_text(fault, Language.ENGLISH)}".strip()
                for fault in invalid.faults
            )
        )
    except AppError as error:
        _refuse(f"{error}.")


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
