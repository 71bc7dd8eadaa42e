"""`/v1/auth/mfa/totp`."""

from litestar import Controller, post
from litestar.params import JSONBody

from midrise.foundation.http.access import IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.credentials.model import ReauthenticationRequired
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.second_factors.model import SecondFactorOff, SecondFactorOn
from midrise.modules.identity.second_factors.schemas import (
    Confirmation,
    NewSecondFactorShown,
    RecoveryCodesShown,
    SwitchingOff,
    new_second_factor_shown,
)
from midrise.modules.identity.second_factors.service import SecondFactors


class SecondFactorsController(Controller):
    """The caller's authenticator app."""

    path = "/v1/auth/mfa/totp"
    tags = ("Accounts and sessions",)

    @post(
        status_code=200,
        access=IN_PERSON,
        errors=(ReauthenticationRequired, SecondFactorOn),
        summary="Set an authenticator app up",
    )
    async def start(self, second_factors: Injected[SecondFactors], actor: CurrentActor) -> NewSecondFactorShown:
        """Gives a secret, shown once. It counts when `confirm` has seen its first code; asked for again before,
        there is another one. The log-in must not be older than 15 minutes."""
        return new_second_factor_shown(await second_factors.start(actor=actor))

    @post(
        "/confirm",
        status_code=200,
        access=IN_PERSON,
        errors=(ReauthenticationRequired, SecondFactorOn, SecondFactorOff, TooManyAttempts),
        summary="Switch the second factor on",
    )
    async def confirm(
        self, data: JSONBody[Confirmation], second_factors: Injected[SecondFactors], actor: CurrentActor
    ) -> RecoveryCodesShown:
        """From now on a log-in needs a code. The recovery codes are shown this once."""
        return RecoveryCodesShown(recovery_codes=await second_factors.confirm(data.otp, actor=actor))

    @post(
        "/disable",
        status_code=204,
        access=IN_PERSON,
        errors=(SecondFactorOff, TooManyAttempts),
        summary="Switch the second factor off",
    )
    async def switch_off(
        self, data: JSONBody[SwitchingOff], second_factors: Injected[SecondFactors], actor: CurrentActor
    ) -> None:
        """Forgets the app and the recovery codes. A recovery code will do as `otp`."""
        await second_factors.switch_off(data.password, data.otp, actor=actor)
