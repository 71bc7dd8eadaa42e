"""Money as whole minor units of a currency: never a float, never an amount without its currency."""

from typing import Annotated

import msgspec

LARGEST_AMOUNT = 2**63 - 1
"""The largest amount that the database's 64-bit integer holds."""

Amount = Annotated[
    int,
    msgspec.Meta(ge=0, le=LARGEST_AMOUNT, description="Whole minor units: 1999 is 19.99", examples=[1999]),
]
CURRENCIES = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
    GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
    LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
    NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF
    XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905  a table of codes reads best as words
)
"""ISO 4217, amendment 179 (2025)."""

Currency = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Z]{3}$",
        description="A currency code of ISO 4217",
        examples=["BDT"],
        extra={"expected": "three capital letters such as BDT"},
        extra_json_schema={"enum": sorted(CURRENCIES)},
    ),
]
"""The form alone is checked with a body: whether the code is one of those there are, `is_currency` tells."""


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount of one currency."""

    amount: Amount
    currency: Currency


def is_currency(code: str) -> bool:
    """Whether the code is one of ISO 4217's active currencies."""
    return code in CURRENCIES
