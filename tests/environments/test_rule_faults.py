"""What a declaration of an environment is refused for: each field, its name and the fault."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from shiplift.v1 import environments_pb2 as pb
from shipliftd.environments import rules as said_rules
from shipliftd.fields import Faults

from tests.support.declared import Declared, ruled, said, without_times
from tests.support.harness import Shipliftd
from tests.support.refusals import BAD_TARGET, code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS


@pytest.fixture
def declared(repository: Repository) -> Declared:
    """The environments of a repository of the test's own."""
    return Declared(repository)


BAD_NAME = "'a b' is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-', and not '.' or '..'"
NOT_HERE = "is not allowed here: wanted one of"
NO_ZONE = "is no IANA time zone: such as Europe/Berlin"
BAD_TIME = "wanted a time such as '2026-12-20T00:00', of 1970 to 9998"
ONCE = {"name": "x", "zone": "UTC", "from": "2026-12-20T00:00", "to": "2026-12-21T00:00"}
WEEKEND = {"from": "Fri 16:00", "to": "Mon 08:00"}
WEEKLY: dict[str, Any] = {"from": "", "to": "", "weekly": [WEEKEND]}
LONG = "x" * 2001
TOO_LONG = "has 2001 characters: at most 2000 are taken"


class Row(NamedTuple):
    """What is said, and the fault of it: the field behind `environment.`, and its description."""

    rules: dict[str, Any]
    field: str
    fault: str


def freeze(field: str, fault: str, **said: Any) -> Row:  # noqa: ANN401
    """A row of a freeze that is right but for this."""
    return Row({"freezes": [{**ONCE, **said}]}, f"freezes[0].{field}", fault)


def param(field: str, fault: str, **said: Any) -> Row:  # noqa: ANN401
    """A row of a parameter that is right but for this."""
    return Row({"params": [{"name": "A", **said}]}, f"params[0].{field}", fault)


FAULTS = [
    Row({"deployer": 3}, "deployer", f"3 {NOT_HERE} DEPLOYER_PIPELINE, DEPLOYER_EXTERNAL"),
    Row({"promoters": ["ann", "a b"]}, "promoters[1]", BAD_NAME),
    Row({"approvers": ["a b"]}, "approvers[0]", BAD_NAME),
    Row({"overriders": ["a b"]}, "overriders[0]", BAD_NAME),
    Row({"promoters": ["a"] * 101}, "promoters", "101 of them: at most 100"),
    Row({"approvers": ["a"] * 101}, "approvers", "101 of them: at most 100"),
    Row({"overriders": ["a"] * 101}, "overriders", "101 of them: at most 100"),
    Row({"promoter_level": 1}, "promoter_level", f"1 {NOT_HERE} ACCESS_LEVEL_WRITE, ACCESS_LEVEL_ADMIN"),
    Row({"required_approvals": 11}, "required_approvals", "is 11: wanted 0 to 10"),
    Row({"required_approvals": -1}, "required_approvals", "is -1: wanted 0 to 10"),
    Row({"approval_window": "59s"}, "approval_window", "is 59 s: wanted 60 s to 365 days"),
    Row({"approval_window": "0s"}, "approval_window", "is 0 s: wanted 60 s to 365 days"),
    Row({"approval_window": "40000000s"}, "approval_window", "is 40000000 s: wanted 60 s to 365 days"),
    Row({"soak": "-1s"}, "soak", "is -1 s: wanted 0 s to 365 days"),
    Row({"requires": "a b"}, "requires", "'a b' " + BAD_TARGET),
    Row({"requires": "production"}, "requires", "is the environment itself: name another one"),
    Row({"queue_policy": 4}, "queue_policy", f"4 {NOT_HERE} {', '.join(pb.QueuePolicy.keys()[1:])}"),
    Row({"link": LONG}, "link", TOO_LONG),
    Row({"description": "a\0"}, "description", "has a NUL character: leave it out"),
    Row({"freezes": [{**ONCE, "name": f"{n}"} for n in range(51)]}, "freezes", "51 of them: at most 50"),
    Row({"freezes": [ONCE, ONCE]}, "freezes[1].name", "'x' stands there twice"),
    freeze("name", "is empty", name=""),
    freeze("name", "has 257 characters: at most 256 are taken", name="x" * 257),
    freeze("zone", f"'Berlin' {NO_ZONE}", zone="Berlin"),
    freeze("zone", f"'' {NO_ZONE}", zone=""),
    freeze("zone", f"'../etc/passwd' {NO_ZONE}", zone="../etc/passwd"),
    freeze("reason", TOO_LONG, reason=LONG),
    freeze("from", f"'': {BAD_TIME}", **{"from": ""}),
    freeze("from", f"'0001-01-01T00:00': {BAD_TIME}", **{"from": "0001-01-01T00:00"}),
    freeze("to", f"'9999-12-31T23:59': {BAD_TIME}", to="9999-12-31T23:59"),
    freeze("to", "is not after from", to="2026-12-20T00:00"),
    freeze("weekly", "does not go with from and to: leave those out", weekly=[WEEKEND]),
    freeze("weekly", "21 of them: at most 20", **{**WEEKLY, "weekly": [WEEKEND] * 21}),
    freeze(
        "weekly[1].to",
        "'Mon 8:00': wanted as 'Fri 16:00'",
        **{**WEEKLY, "weekly": [WEEKEND, {**WEEKEND, "to": "Mon 8:00"}]},
    ),
    Row({"params": [{"name": f"A{n}"} for n in range(101)]}, "params", "101 of them: at most 100"),
    Row({"params": [{"name": "A"}, {"name": "A"}]}, "params[1].name", "'A' stands there twice"),
    Row(
        {"params": [{"name": f"A{n}", "default": "x" * 32768} for n in range(4)]},
        "params",
        "131080 bytes of names and defaults: at most 131072 (128 KiB)",
    ),
    param("name", "'1A' is not a parameter's name: [A-Za-z_][A-Za-z0-9_]*", name="1A"),
    param("name", "is empty", name=""),
    param("description", TOO_LONG, description=LONG),
    param("default", "has 32770 bytes: at most 32768 are taken", default="ä" * 16385),
    param("choices", "101 of them: at most 100", choices=["x"] * 101),
    param("choices[1]", "has 1001 characters: at most 1000 are taken", choices=["", "x" * 1001]),
    param("pattern", "has 1001 characters: at most 1000 are taken", pattern="x" * 1001),
    param("default", "is none of a, b", default="c", choices=["a", "b"]),
    param("default", "does not match [ab]", default="c", pattern="[ab]"),
]


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: f"{row.field}: {row.fault}"[:80])
def test_what_a_declaration_is_refused_for(declared: Declared, row: Row) -> None:
    wanted = invalid((f"environment.{row.field}", row.fault))
    assert refusal(declared.declare, **row.rules) == wanted
    # A change is looked at as a declaration is; and only what it changes.
    declared.declare()
    assert refusal(declared.change, **row.rules) == wanted
    request = declared.changing("production", "confirm")
    request.environment.MergeFrom(ruled("production", **row.rules))
    assert without_times(declared.stub.UpdateEnvironment(request)) == ruled(
        "production", **declared.of, version=1, rules_version=1
    )


def test_all_that_is_said_is_not_too_large(declared: Declared) -> None:
    large: dict[str, Any] = {"params": [{"name": f"A{n}", "choices": ["x" * 1000] * 90} for n in range(2)]}
    declared.declare(**large)
    large["params"].append({"name": "B", "choices": ["x" * 1000] * 90})
    (fault,) = refusal(declared.change, **large).violations
    assert fault[0] == "environment"
    assert fault[1].endswith(" bytes: at most 262144 are taken")
    assert refusal(declared.declare, "qa", **large).violations == (fault,)


def test_all_faults_are_told_together(declared: Declared) -> None:
    told = refusal(declared.declare, "a b", soak="-1s", confirm=True, queue_policy=9)
    assert [field for field, _ in told.violations] == [
        "environment.name",
        "environment.queue_policy",
        "environment.soak",
    ]


REFUSED_NAME = "is refused as a parameter, because a runner, a shell or a language obeys it: choose another"


def test_a_parameter_that_nobody_may_give_cannot_be_declared(declared: Declared) -> None:
    for name in ("PATH", "DRONE_X", "SHIPLIFT_TOKEN", "LD_PRELOAD"):
        wanted = invalid(("environment.params[1].name", f"{name!r} {REFUSED_NAME}"))
        params = [{"name": "A"}, {"name": name, "default": "x"}]
        assert refusal(declared.declare, params=params) == wanted
        assert refusal(declared.change, params=params) == wanted


def test_nor_one_that_the_operator_refuses(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db", ("--refuse-param", "KUBE*")) as server:
        declared = Declared(Repository.make(server, "octocat", "app"))
        wanted = invalid(("environment.params[0].name", f"'KUBECONFIG' {REFUSED_NAME}"))
        assert refusal(declared.declare, params=[{"name": "KUBECONFIG"}]) == wanted


HOSTILE = [
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+$b",
    "([a-z]+)*c",
    "(?:a?){500}a{500}",
    "(" * 200 + "a" + ")*" * 200,
]
TOO_LARGE = [
    "(a{1000}){1000}",
    "\\pL{1000}",
    "((x{100}){100}){100}",
    "\\PL{1000}",
    "(((\\pL|x){20}){10}){5}",
]
NO_RE2 = ["(a)\\1", "a(?=b)", "(?<!a)b", "[", "(", "*", "a**", "\\", "a{2,1}"]


@pytest.mark.parametrize("pattern", [*TOO_LARGE, *NO_RE2])
def test_what_re2_does_not_read(declared: Declared, pattern: str) -> None:
    told = refusal(declared.declare, params=[{"name": "A", "pattern": pattern}])
    assert [field for field, _ in told.violations] == ["environment.params[0].pattern"]
    assert told.violations[0][1].startswith("is not a regular expression that RE2 reads: ")


def test_no_pattern_takes_much_time_or_memory() -> None:
    value = "ab" * 2048
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    for n in range(20):
        for pattern in (*HOSTILE, *TOO_LARGE):
            # Not the one that is remembered.
            rule = pb.ParameterRule(name="A", pattern=f"(?:{n})?(?:{pattern})", default=value)
            said_rules.check(pb.Environment(params=[rule]), ["params"], lambda _: False, Faults(), "")
    assert time.process_time() - begun < 20
    # 220 patterns: a quarter of a MiB each at most, and what RE2 has of its own.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024


def test_hostile_patterns_are_taken_and_matched(declared: Declared) -> None:
    build = declared.repository.record(status=SUCCESS).number
    declared.declare(params=[{"name": f"P{n}", "pattern": text} for n, text in enumerate(HOSTILE)])
    given = {f"P{n}": "a" * 4096 for n in range(len(HOSTILE))}
    told = said(declared.explain(build, params=given).verdicts)
    assert told["parameters"].count("does not match") == 5
    too_long = {"P0": "a" * 4096 + "b"}
    assert said(declared.explain(build, params=too_long).verdicts) == {
        "parameters": "failed: P0 has 4097 characters: a pattern is for at most 4096"
    }
    assert said(declared.explain(build, params={"P0": "a" * 4095 + "b"}).verdicts) == {}


def few(count: int, named: int) -> str:
    """The fault of asking for more approvals than there are approvers."""
    return f"is {count}, and approvers names {named}: name more, or ask for fewer"


def test_no_more_approvals_are_asked_for_than_there_are_approvers(declared: Declared) -> None:
    field = "environment.required_approvals"
    three: dict[str, Any] = {"required_approvals": 3, "approvers": ["ann", "bob", "ann"]}
    assert refusal(declared.declare, **three) == invalid((field, few(3, 2)))
    declared.declare(required_approvals=2, approvers=["ann", "bob"])
    # Whichever of both is changed.
    assert refusal(declared.change, required_approvals=3) == invalid((field, few(3, 2)))
    assert refusal(declared.change, approvers=["ann"]) == invalid((field, few(2, 1)))
    assert declared.change(required_approvals=1, approvers=["ann"]).required_approvals == 1
    # Without names it is whoever is an admin.
    assert declared.change(required_approvals=10, approvers=[]).required_approvals == 10
    assert refusal(declared.change, approvers=["ann"]) == invalid((field, few(10, 1)))


def circle(*names: str) -> str:
    """The fault of environments that require each other."""
    return f"makes a circle, and nothing could go there: {' requires '.join(names)}"


def test_environments_do_not_require_each_other_in_a_circle(declared: Declared) -> None:
    field = "environment.requires"
    # It need not be there yet.
    declared.declare("c", requires="b")
    declared.declare("b", requires="a")
    assert refusal(declared.declare, "a", requires="c") == invalid((field, circle("a", "c", "b", "a")))
    declared.declare("a")
    assert refusal(declared.change, "a", requires="c") == invalid((field, circle("a", "c", "b", "a")))
    assert refusal(declared.change, "a", requires="b") == invalid((field, circle("a", "b", "a")))
    declared.declare("d")
    assert declared.change("d", requires="c").requires == "c"
    # What is not declared any more stands in no circle.
    declared.delete("b")
    assert declared.change("a", requires="c").requires == "c"
    assert refusal(declared.declare, "b", requires="a") == invalid((field, circle("b", "a", "c", "b")))


def test_two_at_once_make_no_circle(declared: Declared) -> None:
    declared.declare("a")
    declared.declare("b")
    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            calls = [
                threads.submit(code_of, declared.change, one, requires=other)
                for one, other in (("a", "b"), ("b", "a"))
            ]
            assert {call.result() for call in calls} == {
                grpc.StatusCode.OK,
                grpc.StatusCode.INVALID_ARGUMENT,
            }
            declared.change("a", requires="")
            declared.change("b", requires="")
