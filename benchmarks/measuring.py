"""Puts load on one call after the other and takes down what it costs."""

import itertools
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import uvloop
from calls import Call, Goods
from house import House
from limits import cache_get_cpu_us, hash_cpu_us, query_cpu_us
from load import Outcome, Place, run_load
from processes import MEBIBYTE, Cores, cpu_seconds, memory_by_name, pss_bytes, rss_bytes
from report import Figures

Result = TypeVar("Result")

WARM_UP_S = 0.5
FILE_SIZES = (1_000, 12_000)
VALUE_BYTES = 1000


class Bench:
    """One run: the house, the bare server beside it, and the cores they are kept on."""

    def __init__(self, house: House, bare: tuple[int, Path], *, cores: Cores) -> None:
        self.house = house
        self.cores = cores
        self.unexpected: Counter[str] = Counter()
        self._bare_pid, self._bare_place = bare
        pids = house.pids()
        self._api = {name: pid for name, pid in pids.items() if name.startswith("api.")}
        self._gateway = pids["gateway"]
        house.pin(cores)
        cores.pin(self._bare_pid, cores.server)

    def measure(self, call: Call, figures: Figures, *, seconds: float) -> bool:
        """One round of one call; False where there is nothing to send yet."""
        hash_us = self._hash_cpu_us(call)
        direct, cpu_us = self._load_one_server(call, seconds=seconds)
        if not direct.answers:
            return False
        body_bytes = direct.body_bytes
        bare, bare_us = self._load(
            call, self._bare_place, [self._bare_pid], seconds=seconds, requests=call.bare(body_bytes)
        )
        gateway_before = cpu_seconds([self._gateway])
        whole, whole_us = self._load(
            call, ("127.0.0.1", self.house.port), [*self._api.values()], seconds=seconds
        )
        figures.gateway_cpu_us.append((cpu_seconds([self._gateway]) - gateway_before) / whole.answers * 1e6)
        figures.bare_cpu_us.append(bare_us)
        figures.api_cpu_us.append(cpu_us - hash_us)
        figures.gateway_api_cpu_us.append(whole_us - hash_us)
        figures.per_second.append(direct.per_second)
        figures.bare_per_second.append(bare.per_second)
        figures.gateway_per_second.append(whole.per_second)
        figures.p50_ms.append(direct.percentile_ms(0.5))
        figures.p99_ms.append(direct.percentile_ms(0.99))
        figures.gateway_p50_ms.append(whole.percentile_ms(0.5))
        figures.gateway_p99_ms.append(whole.percentile_ms(0.99))
        figures.body_bytes.append(body_bytes)
        return True

    def cpu_us(self, call: Call, *, seconds: float) -> float | None:
        """CPU of an API server for one request; None where there is nothing to send yet."""
        hash_us = self._hash_cpu_us(call)
        direct, cpu_us = self._load_one_server(call, seconds=seconds)
        return cpu_us - hash_us if direct.answers else None

    def warm_up(self, every: Sequence[Call]) -> None:
        """Have connections opened and statements prepared on every instance."""
        for call in every:
            self._load(call, ("127.0.0.1", self.house.port), [], seconds=WARM_UP_S)
            self._load(call, self.house.api_socket, [], seconds=WARM_UP_S)

    def bare_clients(self, goods: Goods, *, seconds: float) -> dict[str, float]:
        """CPU of one call of bare clients on the API server's core, in microseconds."""
        queries = self._on_server_core(
            lambda: uvloop.run(query_cpu_us(self.house, product_ids=goods.product_ids[:5000], seconds=seconds))
        )
        cache_get = self._on_server_core(
            lambda: uvloop.run(cache_get_cpu_us(self.house, value_bytes=VALUE_BYTES, seconds=seconds))
        )
        return queries | {f"redis-py, a GET of {VALUE_BYTES:,} bytes": cache_get}

    def serve_files(self, pid: int, place: Path, *, rounds: int, seconds: float) -> dict[str, list[float]]:
        """CPU of nginx for a file, in microseconds, and files a second."""
        self.cores.pin(pid, self.cores.server)
        found: dict[str, list[float]] = {}
        for size in FILE_SIZES * rounds:
            request = f"GET /{size} HTTP/1.1\r\nHost: bare\r\n\r\n".encode()
            load = run_load(place, itertools.repeat(request), seconds=seconds, expected_status=200)
            before = cpu_seconds([pid])
            outcome = uvloop.run(load)
            cpu_us = (cpu_seconds([pid]) - before) / outcome.answers * 1e6
            self._note(f"nginx /{size}", outcome)
            found.setdefault(f"nginx, a file of {size:,} bytes, CPU µs", []).append(cpu_us)
            found.setdefault(f"nginx, a file of {size:,} bytes, req/s", []).append(outcome.per_second)
        return found

    def profile(self, call: Call, folder: Path, *, seconds: float) -> Path:
        """Where the API server's time goes under the load of one call, as py-spy's raw stacks."""
        target = folder / f"{re.sub('[^a-z0-9]+', '-', call.name.lower()).strip('-')}.txt"
        command = [
            *("py-spy", "record", "--rate", "500", "--duration", str(round(seconds)), "--format", "raw"),
            *("--output", str(target), "--pid", str(self._api["api.1"])),
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recording:
            self._load(call, self.house.api_socket, [], seconds=seconds + 1)
            recording.wait(timeout=60)
        return target

    def memory_mib(self) -> dict[str, float]:
        """Of every process, and of all together."""
        parts = {name: size / MEBIBYTE for name, size in memory_by_name(self.house.pids()).items()}
        return parts | {"all together": sum(parts.values())}

    def memory_of_api_mib(self) -> dict[str, float]:
        pid = self._api["api.1"]
        return {
            "its own (PSS)": pss_bytes(pid) / MEBIBYTE,
            "with what it shares (RSS)": rss_bytes(pid) / MEBIBYTE,
        }

    def _hash_cpu_us(self, call: Call) -> float:
        return self._on_server_core(hash_cpu_us) if call.includes_hash else 0.0

    def _load_one_server(self, call: Call, *, seconds: float) -> tuple[Outcome, float]:
        return self._load(call, self.house.api_socket, [self._api["api.1"]], seconds=seconds)

    def _on_server_core(self, work: Callable[[], Result]) -> Result:
        """Do something in this process on the core that the API server otherwise has to itself."""
        self.cores.pin_this_process(self.cores.server)
        try:
            return work()
        finally:
            self.cores.pin_this_process(self.cores.client)

    def _load(
        self,
        call: Call,
        place: Place,
        pids: Sequence[int],
        *,
        seconds: float,
        requests: Iterator[bytes] | None = None,
    ) -> tuple[Outcome, float]:
        """What a load came to, and CPU of these processes for one request in microseconds."""
        load = run_load(
            place, requests or call.requests(), seconds=seconds, expected_status=call.expected_status
        )
        before = cpu_seconds(pids)
        outcome = uvloop.run(load)
        cpu_us = (cpu_seconds(pids) - before) / max(1, outcome.answers) * 1e6
        self._note(call.name, outcome)
        return outcome, cpu_us

    def _note(self, name: str, outcome: Outcome) -> None:
        for status, count in outcome.unexpected.items():
            self.unexpected[f"{name}: {status}"] += count
