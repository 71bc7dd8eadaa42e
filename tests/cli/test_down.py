"""`midrise down` and `midrise status` where the supervisor was killed and everything else runs on."""

import os
import signal
from pathlib import Path

from tests.topology.house import House, wait_for


def test_what_a_killed_supervisor_left_is_told_and_ended(folder: Path) -> None:
    house = House(folder, MIDRISE_REPLICAS="0", MIDRISE_INSTANCES="1")
    house.midrise("up", "--detach")
    supervisor = house.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: "is gone" in house.midrise("status", check=False).stderr)

    for command in ("status", "restart"):
        refused = house.midrise(command, check=False)
        assert refused.returncode == 1
        assert "but gateway, api.1, worker" in refused.stderr
        assert "midrise up" in refused.stderr
        assert "midrise down" in refused.stderr

    assert "Midrise is down" in house.midrise("down").stdout
    assert house.processes() == set()
    assert "Midrise doesn't run" in house.midrise("status", check=False).stderr
