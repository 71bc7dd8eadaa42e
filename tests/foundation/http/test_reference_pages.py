"""The documentation pages need no internet, and a browser keeps what it need not ask for again."""

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import httpx
import pytest
import uvicorn
from litestar import Litestar, Response, get
from litestar.testing import TestClient

from midrise.foundation.errors import AppError
from midrise.foundation.http.errors import status_of
from midrise.foundation.http.reference_pages import ASSET_FILES, ASSETS_FOLDER, reference_handlers

PAGES = ["/docs", "/reference"]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Sample", "version": "1", "description": "Seen only when the page has drawn itself"},
    "paths": {"/tea": {"get": {"operationId": "tea", "responses": {"200": {"description": "Tea"}}}}},
}


@get("/openapi.json", include_in_schema=False)
async def show_openapi() -> dict:
    return OPENAPI


def new_app():
    return Litestar(
        [show_openapi, *reference_handlers],
        openapi_config=None,
        exception_handlers={AppError: lambda _, error: Response({}, status_code=status_of(type(error)))},
    )


@pytest.fixture
def client():
    with TestClient(new_app()) as client:
        yield client


def assets_of(client, page):
    return re.findall(r'(?:src|href)="(/docs/assets/[^"]+)"', client.get(page).text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_only_what_is_served_here(client, page):
    answer = client.get(page)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r'(?:src|href|Url)="([^"]+)"', answer.text)) == {
        *assets_of(client, page),
        "/openapi.json",
        "data:,",
    }
    assert {client.get(address).status_code for address in assets_of(client, page)} == {200}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_forbids_other_hosts_and_inline_scripts(client, page):
    policy = client.get(page).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert re.search(r"<script(?! src)", client.get(page).text) is None


def test_an_asset_may_be_kept_for_good_under_the_address_of_its_content(client):
    for page in PAGES:
        for address in assets_of(client, page):
            answer = client.get(address)

            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["etag"].strip('"') in address


def test_an_asset_under_the_address_of_another_version_is_served_but_not_kept(client):
    answer = client.get("/docs/assets/of-another-version/pages.css")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
@pytest.mark.parametrize("path", [*PAGES, "/docs/assets/0/swagger-ui.css"])
def test_what_the_browser_has_is_not_sent_again(client, path, form):
    tag = client.get(path).headers["etag"]

    answer = client.get(path, headers={"If-None-Match": form.format(tag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag


def test_a_changed_document_is_sent_again(client):
    assert client.get("/docs", headers={"If-None-Match": '"stale"'}).status_code == 200


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "..%2F..%2Ferrors.py", "%00"])
def test_nothing_else_can_be_asked_for(client, name):
    assert client.get(f"/docs/assets/0/{name}").status_code == 404


def test_the_viewers_are_as_they_were_published():
    lines = (ASSETS_FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in map(str.split, lines)}
    files = {f"{path.parent.name}/{path.name}": path for path in ASSETS_FOLDER.glob("s*/*")}

    assert {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == sums


def test_every_viewer_brings_its_licence():
    for folder in {name.split("/")[0] for name in ASSET_FILES.values()} - {"own"}:
        assert (ASSETS_FOLDER / folder / "LICENSE").is_file()


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium on the PATH")
@pytest.mark.parametrize("page", PAGES)
def test_a_browser_with_no_internet_draws_the_page(page, tmp_path):
    with serving(new_app()) as address:
        drawn = browse(f"{address}{page}", profile=tmp_path)

    assert "Seen only when the page has drawn itself" in drawn.stdout
    assert "Content Security Policy" not in drawn.stderr


def browse(address, *, profile) -> subprocess.CompletedProcess[str]:
    """The page's elements as text, after its scripts have run; what they wrote to the console is in stderr."""
    options = [
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=20000",
        "--dump-dom",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    return subprocess.run([BROWSER, *options, address], capture_output=True, text=True, timeout=60, check=True)


@contextmanager
def serving(app) -> Iterator[str]:
    """The app on a free port of this machine, while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert httpx.get(f"{address}/openapi.json", timeout=10).status_code == 200
        yield address
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
