"""Does what the README tells a newcomer to do, in a fresh clone, and checks that it comes out as printed.

`make up`, the curl lines of "A first minute" with the status that stands above each, `midrise status`,
`midrise down`, a second start on the same folder; and that nothing is left running. Needs git, make, curl and
bash, and Python without any package.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECTION = "## A first minute\n"
README_ADDRESS = "http://127.0.0.1:8080"
PROCESSES = ["postgres.primary", "postgres.replica.1", "valkey", "worker", "api.1", "api.2", "gateway"]
START_LIMIT_S = 900
STOP_LIMIT_S = 120

BEFORE = """
set -uo pipefail
curl() { command curl --max-time 60 --dump-header "$(mktemp "$HEADERS/$(date +%s%N).XXXX")" "$@"; }
"""
"""Each answer's head goes to a file of its own, also where curl stands in `$(…)`."""


@dataclass(frozen=True)
class FirstMinute:
    """The README's commands, and the status that each curl is to be answered with."""

    script: str
    statuses: list[int]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="midrise-newcomer-") as name:
        clone = Path(name) / "midrise"
        run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=ROOT)
        port = free_port()
        environment = {name: text for name, text in os.environ.items() if not name.startswith("MIDRISE_")}
        environment["MIDRISE_PORT"] = str(port)
        try:
            walk(clone, environment, address=f"http://127.0.0.1:{port}")
        finally:
            end_all(clone)


def walk(clone: Path, environment: dict[str, str], *, address: str) -> None:
    midrise = str(clone / ".venv" / "bin" / "midrise")
    with making_up(clone, environment) as (make, printed):
        check(address in printed, "make up did not say where it listens")
        follow(
            first_minute((clone / "README.md").read_text()), address=address, password=shown_password(printed)
        )
        status = json.loads(run(midrise, "status", "--json", cwd=clone, environment=environment))
        check(status["ready"] is True and status["gateway"] == address, f"status says {status}")
        check([process["name"] for process in status["processes"]] == PROCESSES, f"status says {status}")
        run(midrise, "down", cwd=clone, environment=environment)
        check(make.wait(STOP_LIMIT_S) == 0, f"make up ended with {make.returncode}")
    check_nothing_left(clone)
    run(midrise, "up", "--detach", cwd=clone, environment=environment)
    kept = run("curl", "-sf", f"{address}/v1/products", cwd=clone)
    check("MUG-350" in kept, "the product was gone after a second start")
    run(midrise, "down", cwd=clone, environment=environment)
    check_nothing_left(clone)
    print("newcomer: a second start keeps the data; nothing is left running")


def first_minute(readme: str) -> FirstMinute:
    section = readme.partition(SECTION)[2].partition("\n## ")[0]
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL))
    statuses = [int(status) for status in re.findall(r"^# → (\d{3})\b", script, flags=re.MULTILINE)]
    check(len(re.findall(r"\bcurl\b", script)) == len(statuses) > 0, "each curl needs a line such as # → 200")
    return FirstMinute(script, statuses)


def follow(minute: FirstMinute, *, address: str, password: str) -> None:
    script = minute.script.replace(README_ADDRESS, address)
    script = re.sub(
        r"^ADMIN_PASSWORD=.*$", f"ADMIN_PASSWORD={shlex.quote(password)}", script, flags=re.MULTILINE
    )
    with tempfile.TemporaryDirectory() as headers:
        printed = run(
            "bash", "-c", BEFORE + script, cwd=Path(headers), environment=os.environ | {"HEADERS": headers}
        )
        heads = [head.read_text() for head in sorted(Path(headers).iterdir())]
    statuses = [int(head.split()[1]) for head in heads]
    check(statuses == minute.statuses, f"answered {statuses}, not {minute.statuses}:\n{printed}")
    print(f"newcomer: {len(statuses)} curl lines were answered as printed: {statuses}")


@contextlib.contextmanager
def making_up(clone: Path, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`make up` in the foreground, until it says how to stop it; and what it printed."""
    make = subprocess.Popen(
        ["make", "up"], cwd=clone, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    signal.signal(signal.SIGALRM, lambda *_: make.kill())
    signal.alarm(START_LIMIT_S)
    lines: list[str] = []
    for line in make.stdout or ():
        lines.append(line)
        print("   ", line, end="")
        if "stop" in line and "Ctrl-C" in line:
            break
    signal.alarm(0)
    check("Midrise is ready" in "".join(lines), "make up did not become ready")
    yield make, "".join(lines)


def shown_password(printed: str) -> str:
    found = re.search(r"^\s*password\s+(\S+)", printed, flags=re.MULTILINE)
    check(found is not None, "make up showed no password")
    return found[1] if found else ""


def check_nothing_left(clone: Path) -> None:
    limit = time.monotonic() + 10
    while processes_of(clone) and time.monotonic() < limit:
        time.sleep(0.1)
    check(not processes_of(clone), f"still running: {processes_of(clone)}")
    check(not (clone / ".midrise" / "sockets").exists(), "sockets were left behind")


def processes_of(clone: Path) -> dict[int, str]:
    """Every process that names the clone in its command, or works in it."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            place = str((folder / "cwd").readlink())
            if int(folder.name) != os.getpid() and (str(clone) in command or place.startswith(str(clone))):
                found[int(folder.name)] = command
    return found


def end_all(clone: Path) -> None:
    """Leave nothing of the clone running, whatever went wrong."""
    for pid in processes_of(clone):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run(*command: str, cwd: Path, environment: dict[str, str] | None = None) -> str:
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    check(ended.returncode == 0, f"{' '.join(command[:3])} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def check(is_right: bool, complaint: str) -> None:  # noqa: FBT001  reads as a sentence
    if not is_right:
        sys.exit(f"newcomer: {complaint}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
