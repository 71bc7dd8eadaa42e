"""The groups of settings, what each setting means, its default and its rule."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from midrise.settings.rules import (
    administrator_password,
    database_url,
    email_address,
    is_network,
    is_origin,
    log_level,
    master_secret,
    public_url,
    rate_limit,
    redis_url,
    smtp_url,
)


def _split_by_comma(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split_by_comma)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]


class Section(BaseModel):
    """A group of settings that belong together."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AdminSettings(Section):
    """The first administrator, made by `midrise up` when there is none."""

    email: Annotated[str, AfterValidator(email_address)] = Field(
        "admin@midrise.local", description="Its e-mail address"
    )
    password: SecretStr | None = Field(None, description="Its password; made and printed once if left out")

    @field_validator("password")
    @classmethod
    def _is_strong(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        return password and administrator_password(password, email=info.data.get("email", ""))


class DatabaseSettings(Section):
    """PostgreSQL."""

    url: DatabaseUrl | None = Field(None, description="An outside PostgreSQL instead of the embedded one")
    pool_size: int = Field(10, ge=1, le=1000, description="Connections of one API server, for writing")
    read_pool_size: int = Field(10, ge=1, le=1000, description="Connections of one API server, for reading")


class ReplicaSettings(Section):
    """Read replicas."""

    urls: Annotated[tuple[DatabaseUrl, ...], BeforeValidator(_split_by_comma)] = Field(
        (), description="Outside replicas, a comma between"
    )
    most_lag_seconds: float = Field(10.0, gt=0, le=3600, description="One that is further behind is left alone")


class RedisSettings(Section):
    """Valkey or Redis."""

    url: Annotated[SecretStr, AfterValidator(redis_url)] | None = Field(
        None, description="An outside Valkey or Redis instead of the embedded one"
    )


class RateSettings(Section):
    """Limits on callers."""

    limit: Annotated[str, AfterValidator(rate_limit)] = Field(
        "600/60", description="Requests in seconds for each caller, or `off`"
    )


class PasswordSettings(Section):
    """Passwords."""

    cost: int = Field(12, ge=4, le=16, description="bcrypt's cost: each step doubles the time of a log-in")


class LogSettings(Section):
    """The log."""

    level: Annotated[str, AfterValidator(log_level)] = Field(
        "info", description="debug, info, warning or error"
    )


class CorsSettings(Section):
    """Cross-origin requests of browsers."""

    origins: Listed = Field((), description="Origins that may call, a comma between; none by default")

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not is_origin(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://shop.example")
        return origins


class TrustedSettings(Section):
    """Whom to believe."""

    proxies: Listed = Field((), description="Networks whose X-Forwarded-For is believed; none by default")

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if not is_network(network):
                raise ValueError(f"{network!r} is not an address, or a network such as 10.0.0.0/8")
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

    secret: Annotated[SecretStr, AfterValidator(master_secret)] | None = Field(
        None, description="32 random bytes or more in base64url; made by `midrise up` alone"
    )
    previous: Annotated[SecretStr, AfterValidator(master_secret)] | None = Field(
        None, description="Another one that is known as well, while the secret is changed"
    )


class TokenSettings(Section):
    """Access tokens."""

    issuer: str = Field("midrise", min_length=1, description="The `iss` of access tokens")
    audience: str = Field("midrise", min_length=1, description="The `aud` of access tokens")


class SmtpSettings(Section):
    """The way of mails."""

    url: Annotated[SecretStr, AfterValidator(smtp_url)] | None = Field(
        None, description="The mail server; without one, mails are kept as files"
    )


class MailSettings(Section):
    """Mails to people."""

    sender: Annotated[str, AfterValidator(email_address)] = Field(
        "midrise@midrise.local", description="The address that mails come from"
    )


class PublicSettings(Section):
    """How the service looks from outside."""

    url: Annotated[str, AfterValidator(public_url)] | None = Field(
        None, description="What links in mails begin with; the gateway's address if left out"
    )
