"""Where the `type` of an error leads: a page for people, JSON for programs, in their language."""

import re

import pytest

from midrise.foundation.errors import AppError
from midrise.foundation.http.error_pages import error_classes, prefers_html
from midrise.modules import installed_modules

pytestmark = pytest.mark.anyio

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CODES = [
    error.code for error in error_classes(error for module in installed_modules() for error in module.errors)
]


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_explained_to_programs(client, code):
    answer = await client.get(f"/errors/{code}")
    shown = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert shown["code"] == code
    assert shown["title"]
    assert len(shown["explanation"]) > 20


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_explained_to_people(client, code):
    answer = await client.get(f"/errors/{code}", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<code>{code}</code>" in answer.text
    assert '<html lang="en">' in answer.text


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_explained_in_bengali(client, code):
    answer = await client.get(f"/errors/{code}", headers={"Accept-Language": "bn-BD, en;q=0.5"})
    assert answer.headers["content-language"] == "bn"
    assert re.search("[ঀ-৿]", answer.json()["title"])
    assert re.search("[ঀ-৿]", answer.json()["explanation"])


async def test_the_type_of_an_error_leads_to_its_explanation(client):
    problem = (await client.get("/v1/products/by-slug/nothing")).json()
    assert (await client.get(problem["type"])).json()["code"] == problem["code"]


async def test_the_list_holds_every_code(client):
    page = (await client.get("/errors")).json()
    assert [each["code"] for each in page["items"]] == CODES
    assert page["next_cursor"] is None


async def test_the_list_leads_people_to_every_page(client):
    answer = await client.get("/errors", headers={"Accept": BROWSER})
    assert re.findall('href="/errors/([a-z_]+)"', answer.text) == CODES


async def test_a_code_that_does_not_exist_is_not_found(client):
    answer = await client.get("/errors/no_such_code", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_page_loads_nothing_and_runs_nothing(client):
    answer = await client.get("/errors/not_found", headers={"Accept": BROWSER})
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert answer.headers["vary"].startswith("Accept, Accept-Language")


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/*", True),
        ("application/json;q=0.5, text/html;q=0.6", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/problem+json", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        (";;;,,,q=1", False),
    ],
)
def test_html_is_for_those_who_rather_have_it(accept, is_html):
    assert prefers_html(accept) is is_html


def test_no_error_of_the_program_is_left_out():
    assert {error.code for error in _own(AppError)} == set(CODES)


def _own(kind):
    for error in kind.__subclasses__():
        if error.__module__.startswith("midrise.") and "code" in vars(error):
            yield error
        yield from _own(error)
