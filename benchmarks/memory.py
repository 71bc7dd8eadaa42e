"""How much memory the whole takes: run it while `midrise up` runs on the same MIDRISE_HOME.

    python benchmarks/memory.py

A page that several processes share is counted in parts, so that the sum is what the machine really holds (PSS).
The processes of a name are its own and those it started: PostgreSQL's and nginx's have several.
"""

import json
import subprocess
import sys

import psutil

MEBIBYTE = 1 << 20


def main() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "midrise", "status", "--json"], capture_output=True, text=True, check=False
    )
    if not answer.stdout:
        sys.exit(answer.stderr.strip())
    named = {process["name"]: process["pid"] for process in json.loads(answer.stdout)["processes"]}
    (supervisor,) = {psutil.Process(pid).ppid() for pid in named.values()}
    sizes = {name: _bytes(pid, children=True) for name, pid in named.items()}
    sizes["supervisor"] = _bytes(supervisor, children=False)
    for name, size in sizes.items():
        print(f"{name:<24}{size / MEBIBYTE:8.0f} MiB")
    print(f"{'all':<24}{sum(sizes.values()) / MEBIBYTE:8.0f} MiB")


def _bytes(pid: int, *, children: bool) -> int:
    process = psutil.Process(pid)
    family = [process, *(process.children(recursive=True) if children else [])]
    return sum(int(each.memory_full_info().pss) for each in family)


if __name__ == "__main__":
    main()
