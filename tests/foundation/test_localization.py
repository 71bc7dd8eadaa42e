"""Errors are told in English or Bengali, as the client asks."""

import importlib
import pkgutil

import pytest

import midrise.foundation
from midrise.foundation.errors import (
    AppError,
    Fault,
    FaultCode,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
)
from midrise.foundation.localization import (
    Language,
    error_texts,
    explanation,
    fault_text,
    negotiate,
    untranslated,
)


@pytest.mark.parametrize(
    ("accept_language", "expected"),
    [
        ("", "en"),
        ("en", "en"),
        ("bn", "bn"),
        ("bn-BD,bn;q=0.9,en-US;q=0.8,en;q=0.7", "bn"),
        ("en-US,en;q=0.9,bn;q=0.8", "en"),
        ("BN", "bn"),
        ("fr", "en"),
        ("fr, bn;q=0.1", "bn"),
        ("en;q=0.5, bn;q=0.8", "bn"),
        ("en;q=0.85, bn;q=0.8", "en"),
        ("en;q=0.5, bn", "bn"),
        ("*", "en"),
        ("*;q=0.1, bn;q=0.5", "bn"),
        ("bn;q=0", "en"),
        ("bn;q=0.000, fr", "en"),
        ("bn ; q=1.0", "bn"),
        ("bnx", "en"),
        ("bn_BD", "en"),
        (";;;,,,q=1", "en"),
        ("bn;q=2", "en"),
        ("x" * 10_000 + ", bn", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_most(accept_language, expected):
    assert negotiate(accept_language) == expected


def test_every_error_and_fault_of_the_foundation_is_told_in_bengali():
    for module in pkgutil.walk_packages(midrise.foundation.__path__, "midrise.foundation."):
        if not module.name.endswith(".env"):  # Alembic's, which it alone can import
            importlib.import_module(module.name)
    errors = [
        error
        for error in _descendants(AppError)
        if error.__module__.startswith("midrise.foundation") and hasattr(error, "code")
    ]

    assert len(errors) > 20
    assert untranslated(errors, FaultCode, Language.BENGALI) == []


def test_english_is_what_the_class_says():
    texts = error_texts(RateLimited(30), Language.ENGLISH)

    assert texts.title == "Too many requests"
    assert texts.detail == "Come back in 30 s"
    assert explanation(RateLimited, Language.ENGLISH).startswith("The caller sent more requests")


def test_bengali_carries_the_arguments():
    assert "30" in error_texts(RateLimited(30), Language.BENGALI).detail
    assert "users:write" in error_texts(Forbidden("users:write"), Language.BENGALI).detail
    assert explanation(RateLimited, Language.BENGALI) != explanation(RateLimited, Language.ENGLISH)


def test_words_of_ours_are_translated_and_those_of_clients_are_not():
    assert "রিসোর্স" in error_texts(NotFound(), Language.BENGALI).detail
    assert error_texts(Malformed("The body is empty"), Language.BENGALI).detail == "বডি খালি"
    wrong_type = Fault(FaultCode.WRONG_TYPE, arguments={"expected": "a whole number or null", "got": "text"})
    assert fault_text(wrong_type, Language.BENGALI) == "পূর্ণ সংখ্যা বা null হতে হবে, টেক্সট নয়"
    reference = Fault(FaultCode.UNKNOWN_REFERENCE, arguments={"value": "resource"})
    assert fault_text(reference, Language.BENGALI).endswith("resource")


def test_a_class_keeps_its_placeholders():
    assert error_texts(Forbidden, Language.ENGLISH).detail == "The permission {permission} is needed"
    assert "{permission}" in error_texts(Forbidden, Language.BENGALI).detail


def test_a_class_that_narrows_another_shares_its_texts():
    class NoSuchProduct(NotFound):
        pass

    assert error_texts(NoSuchProduct("product"), Language.BENGALI).title == "পাওয়া যায়নি"


def test_an_error_without_translation_is_told_in_english():
    class Unforeseen(AppError):
        """Nobody foresaw it."""

        code = "unforeseen"
        title = "Unforeseen"
        detail = "It is {what}"

    assert error_texts(Unforeseen(what="new"), Language.BENGALI).detail == "It is new"
    assert explanation(Unforeseen, Language.BENGALI) == "Nobody foresaw it."
    assert untranslated([Unforeseen], [], Language.BENGALI) == [
        "unforeseen.title",
        "unforeseen.detail",
        "unforeseen.explanation",
    ]


def test_lists_are_shown_as_words_and_long_values_are_cut():
    allowed = Fault(FaultCode.NOT_ALLOWED, arguments={"allowed": ("draft", "active")})
    assert fault_text(allowed, Language.ENGLISH) == "must be one of: draft, active"
    reference = Fault(FaultCode.UNKNOWN_REFERENCE, arguments={"value": "x" * 10_000})
    assert len(fault_text(reference, Language.ENGLISH)) < 300


def test_braces_in_arguments_are_no_placeholders():
    assert error_texts(Malformed("{reason} {0} {"), Language.BENGALI).detail == "{reason} {0} {"


def test_a_module_brings_its_own_texts(tmp_path, monkeypatch):
    package = tmp_path / "acme_shop"
    (package / "locales").mkdir(parents=True)
    (package / "orders").mkdir()
    (package / "__init__.py").touch()
    (package / "orders" / "__init__.py").touch()
    (package / "orders" / "model.py").write_text(
        "from midrise.foundation.errors import Conflict, NotFound\n\n\n"
        "class CartEmpty(Conflict):\n"
        '    code = "cart_empty"\n    title = "The cart is empty"\n    detail = "No {resource} in it"\n'
    )
    (package / "locales" / "bn.toml").write_text(
        '[errors.cart_empty]\ntitle = "কার্ট খালি"\ndetail = "এতে কোনো {resource} নেই"\n[terms]\norder = "অর্ডার"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    from acme_shop.orders.model import CartEmpty

    assert error_texts(CartEmpty(resource="order"), Language.BENGALI).title == "কার্ট খালি"
    assert error_texts(CartEmpty(resource="order"), Language.BENGALI).detail == "এতে কোনো অর্ডার নেই"
    assert error_texts(CartEmpty(resource="asset"), Language.BENGALI).detail == "এতে কোনো ফাইল নেই"


def test_faults_of_an_error_are_told_one_by_one():
    too_small = Fault(FaultCode.TOO_SMALL, pointer="/price/amount", arguments={"limit": 0})
    error = Invalid([too_small, Fault(FaultCode.MISSING, pointer="/name")])

    assert [fault_text(fault, Language.ENGLISH) for fault in error.faults] == [
        "must be 0 or more",
        "is required",
    ]
    assert error_texts(error, Language.ENGLISH).detail == "2 fields are not valid"


def _descendants(kind):
    for each in kind.__subclasses__():
        yield each
        yield from _descendants(each)
