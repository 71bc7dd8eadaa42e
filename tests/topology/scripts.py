"""Programs of a line or two, in the place of servers, and how to wait for what they do."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from midrise.topology.component import Component, DisposableComponent
from midrise.topology.privileges import Account


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    while not condition():  # noqa: ASYNC110  nothing tells when a file or process changes
        await asyncio.sleep(0.01)


class Script(Component):
    """A shell script that is ready once it has made the file ``ready``, if it makes one."""

    start_limit_s: ClassVar[float] = 10
    stop_limit_s: ClassVar[float] = 1

    def __init__(self, folder: Path, text: str) -> None:
        super().__init__("script", account=Account())
        self.ready = folder / "ready"
        self.text = text

    async def prepare(self) -> None:
        self.ready.unlink(missing_ok=True)

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", self.text, "script", str(self.ready)]

    async def is_ready(self, pid: int) -> bool:  # noqa: ARG002  the file says it
        return self.ready.exists()


class DisposableScript(Script, DisposableComponent):
    """A script that says `broken` until it was made anew."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "anew"
        super().__init__(
            folder, f'test -e {self.mark} || {{ echo broken; exit 1; }}; touch "$1"; exec sleep 60'
        )

    def is_beyond_repair(self, output: str) -> bool:
        return "broken" in output

    async def make_anew(self) -> None:
        self.mark.touch()


STEADY = 'touch "$1"; exec sleep 60'
