"""What people prove by who they are, put together: for log-ins, and for changes that need a proof again."""

from dataclasses import dataclass

from midrise.foundation.module import House
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.service import CodeChecks, PasswordChecks, StepUp
from midrise.modules.identity.log_in_attempts.repository import PostgresLogInAttempts
from midrise.modules.identity.log_in_attempts.service import LogInAttempts
from midrise.modules.identity.second_factors.repository import PostgresSecondFactors
from midrise.modules.identity.second_factors.service import SecondFactors
from midrise.modules.identity.sessions.repository import PostgresSessions
from midrise.modules.identity.users.repository import PostgresUsers


@dataclass(frozen=True, slots=True)
class Proofs:
    """The services behind every proof."""

    attempts: LogInAttempts
    passwords: PasswordChecks
    codes: CodeChecks
    step_up: StepUp
    second_factors: SecondFactors


def build_proofs(house: House, *, users: PostgresUsers, sessions: PostgresSessions) -> Proofs:
    audit = house.services.get(AuditTrail)
    factors = PostgresSecondFactors()
    attempts = LogInAttempts(database=house.database, attempts=PostgresLogInAttempts(), master=house.master)
    passwords = PasswordChecks(
        database=house.database, users=users, passwords=house.passwords, attempts=attempts
    )
    codes = CodeChecks(
        database=house.database, factors=factors, attempts=attempts, master=house.master, audit=audit
    )
    step_up = StepUp(database=house.database, users=users, sessions=sessions, passwords=passwords, codes=codes)
    second_factors = SecondFactors(
        house=house, factors=factors, users=users, codes=codes, step_up=step_up, audit=audit
    )
    return Proofs(attempts, passwords, codes, step_up, second_factors)
