"""How much memory the whole takes: run it while `midrise up` runs on the same MIDRISE_HOME.

    python benchmarks/memory.py

A page that several processes share is counted in parts, so that the sum is what the machine really holds (PSS).
The processes of a name are its own and those it started: PostgreSQL's and nginx's have several.
"""

import json
import subprocess
import sys

from processes import MEBIBYTE, memory_by_name


def main() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "midrise", "status", "--json"], capture_output=True, text=True, check=False
    )
    if not answer.stdout:
        sys.exit(answer.stderr.strip())
    named = {process["name"]: process["pid"] for process in json.loads(answer.stdout)["processes"]}
    sizes = memory_by_name(named)
    for name, size in sizes.items():
        print(f"{name:<24}{size / MEBIBYTE:8.0f} MiB")
    print(f"{'all':<24}{sum(sizes.values()) / MEBIBYTE:8.0f} MiB")


if __name__ == "__main__":
    main()
