"""Metrics are told in the text format of Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from midrise.foundation.observability import metrics


def test_every_metric_of_ours_is_told_with_its_meaning():
    told = {family.name: family for family in text_string_to_metric_families(metrics.exposition().decode())}
    ours = {name for name in told if name.startswith("midrise_")}
    assert ours >= {
        "midrise_request_seconds",
        "midrise_requests_in_progress",
        "midrise_rate_limited",
        "midrise_jobs",
    }
    assert all(told[name].documentation for name in ours)


def test_the_content_type_is_that_of_the_format():
    assert metrics.CONTENT_TYPE.startswith("text/plain; version=")
