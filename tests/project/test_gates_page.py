"""docs/gates.md says of each gate what the code does."""

import re

import yaml
from shipliftd.environments.gates import GATES
from shipliftd.environments.rules import SAID, check
from shipliftd.fields import Faults

from tests.environments.test_gates import AGAINST
from tests.support.declared import ruled
from tests.support.pages import block, page


def test_the_table_has_every_gate_in_their_order() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \| (\w+) \| ([^|]+) \|$",
        page("docs/gates.md"),
        re.MULTILINE,
    )
    results: dict[str, set[str]] = {}
    for row in AGAINST:
        results.setdefault(row.gate, set()).add(row.result)
    assert [(gate, override, rollback) for gate, _, override, rollback in rows] == [
        (
            gate.name,
            "yes" if gate.can_be_overridden else "no",
            ("skips" if gate.is_skipped_by_rollback else "asked")
            + (", unless it changes parameters" if gate.is_asked_of_other_parameters else ""),
        )
        for gate in GATES
    ]
    words = {"fails": {"failed"}, "waits": {"waiting"}}
    both = {"waiting", "failed"}
    assert {gate: words.get(it, both) for gate, it, _, _ in rows} == results


def test_the_file_is_one_that_is_taken() -> None:
    faults = Faults()
    # What stands there as a time is a text.
    for each in yaml.load(block("docs/gates.md", "yaml"), yaml.BaseLoader)["environments"]:
        assert each.pop("soak", "30m") == "30m"
        name = each.pop("name")
        each["required_approvals"] = int(each.get("required_approvals", 0))
        for rule in each.get("params", []):
            for flag in ("required", "secret"):
                rule[flag] = rule.get(flag) == "true"
        environment = ruled(name, **each)
        check(environment, SAID, lambda _: False, faults, "")
    faults.refuse()
