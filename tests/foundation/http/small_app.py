"""Small applications for tests of one thing: the real middleware and framework around handlers of a test."""

import os
from pathlib import Path
from typing import Any, cast

import httpx

from midrise.app import layers
from midrise.foundation.http.asgi import App
from midrise.foundation.http.framework import create_framework
from midrise.foundation.paging import CursorSigner
from midrise.settings import load

PERMISSION = "things:write"
CURSORS = CursorSigner(b"k" * 32)


def small_app(*handlers: Any, **settings: str) -> App:
    """The handlers behind every middleware; nobody is known, and nothing is limited."""
    framework = create_framework(handlers=handlers, services={}, cursors=CURSORS, permissions=[PERMISSION])
    given = {f"MIDRISE_{name.upper()}": value for name, value in settings.items()}
    return layers(load(given, toml=Path(os.devnull)), cast("App", framework), admission=None)


def client_of(app: App, *, address: str = "203.0.113.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def faults_of(answer: httpx.Response) -> dict[str, str]:
    """The codes of the faults in a problem, each under its place."""
    return {
        str(fault.get("pointer", fault.get("parameter", fault.get("header")))): fault["code"]
        for fault in answer.json()["errors"]
    }
