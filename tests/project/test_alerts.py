"""The alert rules in docs: that they are rules, name metrics that there are, and say what to do."""

import re
from typing import Any

import pytest
import yaml

from tests.support.harness import Shipliftd
from tests.support.metrics import families
from tests.support.toolchains import ROOT

PAGE = (ROOT / "docs/operating.md").read_text()
(GROUP,) = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
NAMES = [rule["alert"] for rule in RULES]
# What else stands in an expression: the words of PromQL and the labels of these rules.
WORDS = {
    "absent",
    "and",
    "by",
    "changes",
    "histogram_quantile",
    "increase",
    "max",
    "on",
    "or",
    "rate",
    "sum",
}
LABELS = {"instance", "le", "method"}
MOST_HISTOGRAM = ("_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The metrics of a server by their names, with their types."""
    database = tmp_path_factory.mktemp("alerts") / "shiplift.db"
    with Shipliftd(database, ("--metrics", "127.0.0.1:0")) as server:
        return {family.name: family.type for family in families(server)}


def names_of(served: dict[str, str]) -> set[str]:
    """The names that samples of these metrics have."""
    ends = {"counter": ("_total",), "histogram": MOST_HISTOGRAM}
    return {name + end for name, kind in served.items() for end in ends.get(kind, ("",))}


def identifiers(expression: str) -> set[str]:
    """All words of an expression, but for what matchers and ranges say."""
    return set(re.findall(r"[a-zA-Z_:][\w:]*", re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)))


def test_the_file_has_the_form_that_prometheus_reads() -> None:
    assert GROUP.keys() == {"name", "rules"}
    assert len(set(NAMES)) == len(NAMES) > 0
    for rule in RULES:
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys(), rule
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert re.fullmatch(r"Shiplift[A-Z]\w+", rule["alert"]), rule
        assert re.fullmatch(r"[1-9][0-9]*[smh]", rule.get("for", "1m")), rule
        assert rule["labels"].keys() == {"severity"}, rule
        assert rule["labels"]["severity"] in ("critical", "warning"), rule
        assert rule["annotations"].keys() == {"summary"}, rule
        assert rule["annotations"]["summary"].endswith("."), rule


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_names_metrics_that_the_server_has(rule: dict[str, Any], served: dict[str, str]) -> None:
    metrics = identifiers(rule["expr"]) - WORDS - LABELS
    assert metrics, "it names none"
    assert metrics <= names_of(served)


def test_each_alert_has_a_paragraph_that_says_what_to_do() -> None:
    told = re.findall(r"^### (Shiplift\w+)\n\n(.{100,}?)(?:\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in told] == NAMES


def test_the_page_lists_the_metrics_that_there_are(served: dict[str, str]) -> None:
    ends = {"counter": "_total"}
    there = {name + ends.get(kind, "") for name, kind in served.items() if name.startswith("shipliftd_")}
    listed = re.findall(r"^\| `(shipliftd_\w+)", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(there)


def test_what_the_page_asks_prometheus_for_is_there(served: dict[str, str]) -> None:
    asked = set(re.findall(r"\b(?:shipliftd|process)_[a-z_]+[a-z]\b", PAGE))
    assert asked - names_of(served) - served.keys() == set()
