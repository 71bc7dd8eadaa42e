"""Accounts put together: registered by their owners, looked after by others, and logged in somewhere."""

from dataclasses import dataclass

from midrise.foundation.module import House
from midrise.modules.audit import AuditTrail
from midrise.modules.config import Configuration
from midrise.modules.identity.accounts.repository import PostgresAccounts
from midrise.modules.identity.accounts.service import Accounts
from midrise.modules.identity.api_keys.service import ApiKeys
from midrise.modules.identity.devices.repository import PostgresDevices
from midrise.modules.identity.devices.service import Devices
from midrise.modules.identity.exports.repository import PostgresExports
from midrise.modules.identity.exports.service import Exports
from midrise.modules.identity.mailing import Mailing, build_mailing
from midrise.modules.identity.passwords.repository import PostgresPasswords
from midrise.modules.identity.passwords.service import Passwords
from midrise.modules.identity.proofs import Proofs
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.users.repository import PostgresUsers
from midrise.modules.identity.users.service import Users


@dataclass(frozen=True, slots=True)
class People:
    """The services around accounts."""

    users: Users
    devices: Devices
    accounts: Accounts
    passwords: Passwords
    exports: Exports
    mailing: Mailing


def build_people(
    house: House, *, users_table: PostgresUsers, roles: Roles, proofs: Proofs, api_keys: ApiKeys
) -> People:
    audit = house.services.get(AuditTrail)
    devices = Devices(database=house.database, devices=PostgresDevices(), audit=audit)
    mailing = build_mailing(house, users=users_table, devices=devices, proofs=proofs, api_keys=api_keys)
    users = Users(
        database=house.database,
        users=users_table,
        roles=roles,
        passwords=house.passwords,
        emails=mailing.emails,
        configuration=house.services.get(Configuration),
        audit=audit,
    )
    accounts = Accounts(
        database=house.database,
        accounts=PostgresAccounts(),
        users=users,
        roles=roles,
        devices=devices,
        api_keys=api_keys,
        passwords=house.passwords,
        emails=mailing.emails,
        audit=audit,
    )
    passwords = Passwords(
        database=house.database,
        passwords=PostgresPasswords(),
        users=users,
        devices=devices,
        hashing=house.passwords,
        tokens=mailing.tokens,
        step_up=proofs.step_up,
        audit=audit,
    )
    exports = Exports(database=house.database, exports=PostgresExports(), users=users_table, audit=audit)
    return People(users, devices, accounts, passwords, exports, mailing)
