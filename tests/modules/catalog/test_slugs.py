"""Slugs keep the script of a name, and what makes one leaves one alone."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midrise.modules.catalog.slugs import LONGEST_SLUG, is_slug, slug_candidates, slug_of

ROW_ID = UUID("0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Blue Mug, 350 ml", "blue-mug-350-ml"),
        ("  Tea --- & -- Coffee  ", "tea-coffee"),
        ("নীল কাপ", "নীল-কাপ"),
        ("জামদানি শাড়ি", "জামদানি-শাড়ি"),
        ("日本語 コップ", "日本語-コップ"),
        ("Café ½", "café-1-2"),
        ("STRAẞE", "strasse"),
        ("Farmer’s Choice", "farmers-choice"),  # noqa: RUF001  names come with typographic apostrophes
        ("❤️ Mug", "mug"),
        ("A\u200db", "ab"),
        ("!!!", ""),
    ],
)
def test_a_name_makes_a_slug(name, slug):
    assert slug_of(name) == slug_of(slug) == slug


@given(st.text(max_size=40) | st.text(st.characters(categories=["L", "M", "Zs"]), min_size=90, max_size=130))
def test_whatever_is_made_is_a_slug(text):
    slug = slug_of(text)
    assert slug == "" or is_slug(slug)
    assert len(slug) <= LONGEST_SLUG


@pytest.mark.parametrize(
    "text", ["", "Blue", "a b", "-a", "a-", "a--b", "a_b", "a\n", "É", "e\u0301", "\uff41"]
)
def test_other_texts_are_no_slugs(text):
    assert not is_slug(text)


def test_a_long_name_is_cut_between_words():
    assert slug_of("word " * 40) == "-".join(["word"] * 20)


def test_a_word_that_is_too_long_is_cut():
    assert slug_of("x" * 300) == "x" * LONGEST_SLUG


def test_the_next_candidates_carry_more_and_more_of_the_id():
    assert list(slug_candidates("Mug", ROW_ID)) == ["mug", "mug-3e21", "mug-5a4c3e21", "mug-2b6d5a4c3e21"]


def test_a_name_without_letters_is_called_by_the_id():
    assert list(slug_candidates("!!!", ROW_ID)) == ["3e21", "5a4c3e21", "2b6d5a4c3e21"]


@given(st.text(min_size=1, max_size=300))
def test_every_candidate_is_a_slug(name):
    assert all(is_slug(each) and len(each) <= LONGEST_SLUG for each in slug_candidates(name, ROW_ID))
