"""`make check`: everything that can be said of the source without running it, as named steps with their times.

Every step runs, also after one has failed, so that one run tells all there is to mend.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
LOCKS = (ROOT / "requirements" / "runtime.lock", ROOT / "requirements" / "dev.lock")
PIN = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.+!-]+( ; .+)?")
"""A line of a lock: a name, a version and on which machines. Nothing says where it comes from."""
AUDIT_LIMIT_S = 120


class Failed(Exception):
    """A step found something; the text is what it says of it."""


def main() -> int:
    steps: dict[str, Callable[[], str]] = {
        "format": lambda: tool("ruff", "format", "--check", "."),
        "lint": lambda: tool("ruff", "check", "."),
        "types": lambda: tool("mypy"),
        "types of the tools": lambda: tool("mypy", ".ci", "benchmarks"),
        "contracts": lambda: tool("lint-imports", "--no-cache"),
        "spelling": lambda: tool("codespell", "."),
        "locks": check_locks,
        "dependency audit": audit,
    }
    failed = [name for name, step in steps.items() if not passes(name, step)]
    print(f"\n{'Failed: ' + ', '.join(failed) if failed else 'Every check passed.'}")
    return 1 if failed else 0


def passes(name: str, step: Callable[[], str]) -> bool:
    """Run one step and print how it went."""
    began = time.monotonic()
    try:
        said, mark = step(), "ok"
    except Failed as found:
        said, mark = str(found), "FAILED"
    print(f"{name:<20} {mark:<7} {time.monotonic() - began:5.1f} s", said if mark == "ok" else f"\n{said}")
    return mark == "ok"


def tool(name: str, *arguments: str) -> str:
    """Run a tool of the virtual environment. Raises `Failed` with all that it printed."""
    run = subprocess.run([BIN / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise Failed(run.stdout + run.stderr)
    return ""


def check_locks() -> str:
    """Locks hold names and versions: no address, no path, no option."""
    strange = [
        f"{lock.name}:{number}: {line}"
        for lock in LOCKS
        for number, line in enumerate(lock.read_text().splitlines(), start=1)
        if not PIN.fullmatch(line)
    ]
    if strange:
        raise Failed("\n".join(strange))
    return ""


def audit() -> str:
    """Known vulnerabilities of the locked versions, where the service that knows them can be reached."""
    command = [str(BIN / "pip-audit"), "--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command += [f"--requirement={lock}" for lock in LOCKS]
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=AUDIT_LIMIT_S
        )
        found = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return "(skipped: the service that knows the vulnerabilities can't be reached)"
    audited = [package for package in found if "skip_reason" not in package]
    if not audited:
        return "(skipped: the service that knows the vulnerabilities knows none of the packages here)"
    vulnerable = [
        f"{package['name']} {package['version']}: {', '.join(each['id'] for each in package['vulns'])}"
        for package in audited
        if package["vulns"]
    ]
    if vulnerable:
        raise Failed("\n".join(vulnerable))
    return f"({len(audited)} of {len(found)} packages)"


if __name__ == "__main__":
    sys.exit(main())
