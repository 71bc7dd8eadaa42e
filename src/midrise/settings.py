"""Every setting of Midrise, its meaning and its default: the one place that reads the environment.

A setting ``database.url`` is ``MIDRISE_DATABASE_URL`` in the environment, ``MIDRISE_DATABASE_URL_FILE`` for a
file that holds it, or ``url`` under ``[database]`` in ``midrise.toml``; the environment wins. A variable that
starts with ``MIDRISE_`` and is no setting is an error: a misspelt one must not be dropped in silence.
"""

import ipaddress
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

PREFIX = "MIDRISE_"
TOML_FILE = "midrise.toml"


class SettingsInvalid(Exception):
    """The settings can't be used; its text is one sentence a fault, for the person who starts the program."""


def _split_by_comma(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split_by_comma)]


class Section(BaseModel):
    """A group of settings that belong together."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AdminSettings(Section):
    """The first administrator, made by `midrise up` when there is none."""

    email: str = Field("admin@midrise.local", description="Its e-mail address")
    password: SecretStr | None = Field(None, description="Its password; made and printed once if left out")


class DatabaseSettings(Section):
    """PostgreSQL."""

    url: SecretStr | None = Field(None, description="An outside PostgreSQL instead of the embedded one")
    pool_size: int = Field(10, ge=1, le=1000, description="Connections of one API server, for writing")
    read_pool_size: int = Field(10, ge=1, le=1000, description="Connections of one API server, for reading")


class ReplicaSettings(Section):
    """Read replicas."""

    urls: Annotated[tuple[SecretStr, ...], BeforeValidator(_split_by_comma)] = Field(
        (), description="Outside replicas, a comma between"
    )
    most_lag_seconds: float = Field(10.0, gt=0, le=3600, description="One that is further behind is left alone")


class RedisSettings(Section):
    """Valkey or Redis."""

    url: SecretStr | None = Field(None, description="An outside Valkey or Redis instead of the embedded one")


class RateSettings(Section):
    """Limits on callers."""

    limit: str = Field(
        "600/60",
        pattern=r"^(off|[1-9][0-9]{0,8}/[1-9][0-9]{0,4})$",
        description="Requests in seconds for each caller, or `off`",
    )


class PasswordSettings(Section):
    """Passwords."""

    cost: int = Field(12, ge=4, le=16, description="bcrypt's cost: each step doubles the time of a log-in")


class LogSettings(Section):
    """The log."""

    level: str = Field(
        "info", pattern="(?i)^(debug|info|warning|error)$", description="debug, info, warning or error"
    )


class CorsSettings(Section):
    """Cross-origin requests of browsers."""

    origins: Listed = Field((), description="Origins that may call, a comma between; none by default")

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            spelt = f"{parts.scheme}://{parts.netloc.lower()}"
            if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in origin or spelt != origin:
                raise ValueError(f"{origin!r} is not an origin such as https://shop.example")
        return origins


class TrustedSettings(Section):
    """Whom to believe."""

    proxies: Listed = Field((), description="Networks whose X-Forwarded-For is believed; none by default")

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network, strict=False)
        return networks


class TlsSettings(Section):
    """TLS at the gateway."""

    cert: Path | None = Field(None, description="A certificate chain in PEM; the gateway then speaks TLS")
    key: Path | None = Field(None, description="Its private key in PEM")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("MIDRISE_TLS_CERT and MIDRISE_TLS_KEY go together")
        return self


class MasterSettings(Section):
    """The secret that every other secret comes from."""

    secret: SecretStr | None = Field(
        None, description="32 random bytes or more in base64url; made by `midrise up` alone"
    )


class TokenSettings(Section):
    """Access tokens."""

    issuer: str = Field("midrise", min_length=1, description="The `iss` of access tokens")
    audience: str = Field("midrise", min_length=1, description="The `aud` of access tokens")


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
    if faults:
        raise SettingsInvalid("\n".join(faults))
    try:
        return Settings.model_validate(values)
    except ValidationError as invalid:
        raise SettingsInvalid("\n".join(_sentence(fault) for fault in invalid.errors())) from None


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
    if name == "MIDRISE_MASTER_SECRET_FILE":
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
    for section in place[:-1]:
        values = values.setdefault(section, {})
    values[place[-1]] = value


def _at(values: Any, place: tuple[str, ...]) -> object:
    for step in place:
        values = values[step]
    return values


def _sentence(fault: Any) -> str:
    place = (str(step) for step in fault["loc"] if not isinstance(step, int))
    return f"{PREFIX}{'_'.join(place).upper()}: {fault['msg'].removeprefix('Value error, ')}."
