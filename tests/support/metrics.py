"""What a server tells Prometheus, read as Prometheus reads it."""

import urllib.request

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS


def families(server: Shipliftd) -> list[Metric]:
    """All metrics of a server."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=SECONDS) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def samples(server: Shipliftd, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name that are not 0, by the values of their labels, which are sorted by name."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in families(server)
        for sample in family.samples
        if sample.name == name and sample.value
    }


def sample(server: Shipliftd, name: str) -> float:
    """The one sample of a name without labels."""
    (found,) = (s for family in families(server) for s in family.samples if s.name == name)
    assert found.labels == {}
    return found.value
