"""An authenticator app, made by hand after RFC 6238: without the library that is to understand it."""

import base64
import hmac
import struct
from dataclasses import dataclass
from typing import Any

from tests.modules.identity.conftest import Person

from midrise.foundation import clock

TOTP = "/v1/auth/mfa/totp"


@dataclass
class Phone:
    """Shows codes of a secret, and knows the recovery codes."""

    secret: str
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """The code of so many half minutes from now."""
        counter = int(clock.timestamp()) // 30 + steps
        digest = hmac.digest(base64.b32decode(self.secret), struct.pack(">Q", counter), "sha1")
        offset = digest[-1] & 15
        number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"

    def wrong_code(self) -> str:
        """Six digits that are right neither now nor in a while."""
        right = {self.code(steps) for steps in range(-3, 10)}
        return next(text for text in (f"{number:06}" for number in range(20)) if text not in right)


async def set_up(person: Person, connection: Any) -> Phone:
    """Switch a second factor on; the code that this used is forgotten, so that time need not pass."""
    phone = Phone((await person.client.post(TOTP)).json()["secret"], [])
    answer = await person.client.post(f"{TOTP}/confirm", json={"otp": phone.code()})
    assert answer.status_code == 200, answer.text
    phone.recovery_codes = answer.json()["recovery_codes"]
    await let_time_pass(connection)
    return phone


async def let_time_pass(connection: Any) -> None:
    """Have every code count again, as if it were another one."""
    await connection.execute("UPDATE second_factors SET last_step = NULL")
