"""Reads the settings: the one place that reads the environment."""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from midrise.settings.faults import PREFIX, TOML_FILE, SettingsInvalid, sentence
from midrise.settings.sections import (
    AdminSettings,
    CorsSettings,
    DatabaseSettings,
    LogSettings,
    MailSettings,
    MasterSettings,
    PasswordSettings,
    PublicSettings,
    RateSettings,
    RedisSettings,
    ReplicaSettings,
    Section,
    SmtpSettings,
    TlsSettings,
    TokenSettings,
    TrustedSettings,
)


class Settings(Section):
    """Every setting."""

    home: Path = Field(Path(".midrise"), description="The folder that holds all state")
    host: str = Field("127.0.0.1", description="The address that the gateway listens on")
    port: int = Field(8080, ge=1, le=65535, description="The port that the gateway listens on")
    instances: int = Field(2, ge=1, le=64, description="API servers to start")
    replicas: int = Field(1, ge=0, le=8, description="Embedded read replicas to start")
    admin: AdminSettings = AdminSettings()
    database: DatabaseSettings = DatabaseSettings()
    replica: ReplicaSettings = ReplicaSettings()
    redis: RedisSettings = RedisSettings()
    rate: RateSettings = RateSettings()
    password: PasswordSettings = PasswordSettings()
    log: LogSettings = LogSettings()
    cors: CorsSettings = CorsSettings()
    trusted: TrustedSettings = TrustedSettings()
    tls: TlsSettings = TlsSettings()
    master: MasterSettings = MasterSettings()
    token: TokenSettings = TokenSettings()
    smtp: SmtpSettings = SmtpSettings()
    mail: MailSettings = MailSettings()
    public: PublicSettings = PublicSettings()

    @property
    def mail_folder(self) -> Path:
        """Where mails are kept that no mail server takes."""
        return self.home.absolute() / "mail"

    @property
    def public_url(self) -> str:
        """What links in mails begin with, without a slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  compared, not bound
        address = f"{f'[{host}]' if ':' in host else host}:{self.port}"
        return self.public.url or f"{'https' if self.tls.cert else 'http'}://{address}"

    def shown(self) -> dict[str, object]:
        """Every setting by its full name, secrets masked: what a process prints when it starts."""
        values = self.model_dump(mode="json")
        shown = {name: _at(values, place) for name, place in sorted(_places().items())}
        return {name: value for name, value in shown.items() if value is not None}


def load(environment: Mapping[str, str] | None = None, *, toml: Path | None = None) -> Settings:
    """The settings of the environment and of ``midrise.toml`` in the working folder.

    Raises `SettingsInvalid`, which names every fault.
    """
    environment = os.environ if environment is None else environment
    values = _read_toml(toml or Path(TOML_FILE))
    faults: list[str] = []
    for name, place in _given(environment, faults):
        try:
            _put(values, place, _value(environment, name))
        except OSError as trouble:
            faults.append(f"{name}: the file can't be read ({trouble.strerror}).")
        except ValueError as refused:
            faults.append(f"{name}: {refused}")
        except TypeError:
            faults.append(f"{name}: {TOML_FILE} has a value in place of the table [{place[0]}].")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        faults += [sentence(fault) for fault in invalid.errors()]
        raise SettingsInvalid("\n".join(faults)) from None
    if faults:
        raise SettingsInvalid("\n".join(faults))
    return settings


def environment_of_process() -> dict[str, str]:
    """The environment of this process, for children that inherit it."""
    return dict(os.environ)


def load_or_exit() -> Settings:
    """The settings, or a sentence a fault on standard error and exit code 2."""
    try:
        return load()
    except SettingsInvalid as invalid:
        sys.stderr.write(f"{invalid}\n")
        sys.exit(2)


def _places() -> dict[str, tuple[str, ...]]:
    """Each setting's variable and its place in the tree of settings."""
    places: dict[str, tuple[str, ...]] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            places |= {f"{PREFIX}{name}_{leaf}".upper(): (name, leaf) for leaf in section.model_fields}
        else:
            places[f"{PREFIX}{name}".upper()] = (name,)
    return places


def _given(environment: Mapping[str, str], faults: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    places = _places()
    given: list[tuple[str, tuple[str, ...]]] = []
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        place = places.get(name) or places.get(name.removesuffix("_FILE"))
        if place is None:
            faults.append(f"{name} is not a setting of Midrise.")
        elif name == "MIDRISE_PORT" and text.startswith("tcp://"):
            faults.append(
                "MIDRISE_PORT is an address, as Kubernetes sets it for a Service named midrise: "
                "say enableServiceLinks: false in the pod, or rename the Service."
            )
        else:
            given.append((name, place))
    return given


def _value(environment: Mapping[str, str], name: str) -> str:
    if not environment[name]:
        raise ValueError("it is empty; leave it out instead.")
    if f"{name}_FILE" in environment:
        raise ValueError(f"{name}_FILE is set as well; one of them must go.")
    if name in {"MIDRISE_MASTER_SECRET_FILE", "MIDRISE_MASTER_PREVIOUS_FILE"}:
        from midrise.foundation.security.secrets import MasterSecret  # slow to read, and few need it

        return MasterSecret.read_file(Path(environment[name])).text
    if name.endswith("_FILE"):
        return Path(environment[name]).read_text(encoding="utf-8").strip()
    return environment[name]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as trouble:
        raise SettingsInvalid(f"{path} is not valid TOML: {trouble}.") from None
    except OSError as trouble:
        raise SettingsInvalid(f"{path} can't be read: {trouble.strerror}.") from None


def _put(values: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    table: object = values
    for section in place[:-1]:
        table = table.setdefault(section, {}) if isinstance(table, dict) else None
    if isinstance(
        table, dict
    ):  # else midrise.toml has a value in place of the table, and the validation says so
        table[place[-1]] = value


def _at(values: Any, place: tuple[str, ...]) -> object:
    for step in place:
        values = values[step]
    return values
