"""What Prometheus may read, on the internal listener only."""

from prometheus_client import REGISTRY, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from midrise.foundation.observability.tallies import TalliedDurations, Tallies

REQUEST_SECONDS = TalliedDurations(
    "midrise_request_seconds",
    "Time from the request's arrival to the end of its answer",
    ["method", "route", "status"],
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
REQUESTS_IN_PROGRESS = Gauge("midrise_requests_in_progress", "Requests that are being answered")
RATE_LIMITED = Counter("midrise_rate_limited_total", "Requests refused for their number", ["limit"])
REPLICA_USABLE = Gauge("midrise_replica_usable", "Whether reads may go to the replica", ["replica"])
REPLICA_LAG_SECONDS = Gauge("midrise_replica_lag_seconds", "How far the replica is behind", ["replica"])
READS = Counter(
    "midrise_reads_total",
    "Units of work that read, by the server they were given: the primary, or the replica's name",
    ["server"],
)
CACHE_USABLE = Gauge("midrise_cache_usable", "Whether answers may come from the cache")
CACHE_ANSWERS = Tallies(
    "midrise_cache_answers_total",
    "Answers that may be cached, by where they came from: this process, the shared cache, the database",
    ["route", "outcome"],
    registry=REGISTRY,
)
JOBS = Counter("midrise_jobs_total", "Jobs done by the worker", ["name", "outcome"])

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """Every metric of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
