"""Identity: people, their roles, their sessions, and the keys that sign their tokens."""

from pathlib import Path

from midrise.foundation.jobs import Job
from midrise.foundation.module import Built, House, Module, Permission
from midrise.foundation.security.refresh_tokens import RefreshTokens
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.accounts.controller import AccountsController
from midrise.modules.identity.accounts.model import OwnAccount
from midrise.modules.identity.api_keys.controller import ApiKeysController
from midrise.modules.identity.api_keys.model import TooManyApiKeys
from midrise.modules.identity.credentials.model import InvalidOtp, OtpRequired, ReauthenticationRequired
from midrise.modules.identity.devices.controller import DevicesController
from midrise.modules.identity.email_tokens.model import InvalidEmailToken, TooManyMails
from midrise.modules.identity.emails.controller import EmailsController
from midrise.modules.identity.exports.controller import ExportsController
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.password_resets.controller import PasswordResetsController
from midrise.modules.identity.passwords.controller import PasswordsController
from midrise.modules.identity.people import build_people
from midrise.modules.identity.programs import build_programs
from midrise.modules.identity.proofs import build_proofs
from midrise.modules.identity.roles.controller import PermissionsController, RolesController
from midrise.modules.identity.roles.model import RoleBuiltIn, RoleInUse, RoleTaken
from midrise.modules.identity.roles.repository import PostgresRoles
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.second_factors.controller import SecondFactorsController
from midrise.modules.identity.second_factors.model import SecondFactorOff, SecondFactorOn
from midrise.modules.identity.second_factors.service import SecondFactors
from midrise.modules.identity.sessions.controller import SessionsController
from midrise.modules.identity.sessions.model import InvalidCredentials, TokenReused
from midrise.modules.identity.sessions.repository import PostgresSessions
from midrise.modules.identity.sessions.service import Sessions
from midrise.modules.identity.signing import build_signing
from midrise.modules.identity.signing_keys.controller import JwksController
from midrise.modules.identity.signing_keys.service import KeyChanges, SigningKeys
from midrise.modules.identity.users.controller import MeController, RegistrationController
from midrise.modules.identity.users.model import EmailTaken, LastAdministrator, NewUser, RegistrationClosed
from midrise.modules.identity.users.repository import PostgresUsers
from midrise.modules.identity.users.service import REGISTRATION_OPEN, Users

__all__ = ["MODULE", "KeyChanges", "NewUser", "SecondFactors", "SigningKeys", "Users"]

_CONTROLLERS = (
    RegistrationController,
    SessionsController,
    DevicesController,
    ApiKeysController,
    PasswordsController,
    ExportsController,
    SecondFactorsController,
    EmailsController,
    PasswordResetsController,
    MeController,
    AccountsController,
    RolesController,
    PermissionsController,
    JwksController,
)


def build(house: House) -> Built:
    audit = house.services.get(AuditTrail)
    users_table = PostgresUsers()
    roles = Roles(database=house.database, roles=PostgresRoles(), audit=audit, permissions=house.permissions)
    sessions_table = PostgresSessions()
    proofs = build_proofs(house, users=users_table, sessions=sessions_table)
    programs = build_programs(house, users=users_table, roles=roles, proofs=proofs)
    people = build_people(
        house, users_table=users_table, roles=roles, proofs=proofs, api_keys=programs.api_keys
    )
    signing = build_signing(house)
    sessions = Sessions(
        database=house.database,
        sessions=sessions_table,
        users=users_table,
        roles=roles,
        passwords=proofs.passwords,
        codes=proofs.codes,
        access_tokens=house.access_tokens,
        refresh_tokens=RefreshTokens(house.master),
        signing_keys=signing.keys,
        audit=audit,
    )
    house.services.provide(people.users)
    for service in (signing.keys, signing.changes, proofs.second_factors):
        house.services.provide(service)
    return Built(
        controllers=_CONTROLLERS,
        services={
            "users": people.users,
            "roles": roles,
            "accounts": people.accounts,
            "sessions": sessions,
            "devices": people.devices,
            "api_keys": programs.api_keys,
            "password_changes": people.passwords,
            "exports": people.exports,
            "second_factors": proofs.second_factors,
            "emails": people.mailing.emails,
            "password_resets": people.mailing.password_resets,
            "signing_keys": signing.keys,
        },
        jobs=[
            Job("sessions.purge_expired", schedule="17 * * * *", run=sessions.purge_expired),
            Job("signing_keys.look_after", schedule="7 * * * *", run=signing.changes.look_after),
            Job("log_in_attempts.purge", schedule="37 * * * *", run=proofs.attempts.purge),
            Job("api_keys.purge_expired", schedule="52 * * * *", run=programs.api_keys.purge_expired),
            *people.mailing.jobs,
        ],
        handlers=people.mailing.handlers,
        start=[signing.keys.load],
        stop=[programs.callers.close],
        session_source=sessions,
        key_source=signing.keys,
        api_key_source=programs.callers,
    )


MODULE = Module(
    name="identity",
    build=build,
    permissions=[
        Permission("users:read", "See users"),
        Permission("users:write", "Create, change, disable and delete users"),
        Permission("roles:read", "See roles and permissions"),
        Permission("roles:write", "Create, change and delete roles"),
        Permission("roles:assign", "Give users their roles"),
    ],
    config_keys=[REGISTRATION_OPEN],
    errors=[
        EmailTaken,
        LastAdministrator,
        OwnAccount,
        RegistrationClosed,
        RoleTaken,
        RoleInUse,
        RoleBuiltIn,
        InvalidCredentials,
        OtpRequired,
        InvalidOtp,
        ReauthenticationRequired,
        SecondFactorOn,
        SecondFactorOff,
        TooManyAttempts,
        InvalidEmailToken,
        TooManyMails,
        TooManyApiKeys,
        TokenReused,
    ],
    constraint_errors={
        "uq_users_email_key": EmailTaken,
        "pk_roles": RoleTaken,
        "fk_user_roles_role_name": RoleInUse,
    },
    migrations=Path(__file__).parent / "migrations",
)
