"""The gates as a table of decisions, and what holds of any facts."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.environments.gates import (
    GATES,
    OVERRIDABLE,
    Facts,
    Override,
    Rules,
    Stop,
    Verdict,
    against,
    evaluate,
    length,
    shown,
)

# 2026-07-01 12:00 UTC.
AT = 1_782_907_200_000
HOUR = 3_600_000
NAMES = tuple(gate.name for gate in GATES)
ADMIN = ("an admin of octocat/app",)
WRITER = ("who may write to octocat/app",)

# Nothing is against it.
CLEAR = Facts(
    at=AT,
    slug="octocat/app",
    environment="production",
    login="ann",
    build=41,
    commit="9fc1ad6ebf12462f3f97",
    rules=Rules(),
)
CLEAR_VERDICTS = {
    "access": "ann may promote in octocat/app",
    "repository": "octocat/app is active",
    "environment": "production is declared",
    "promoters": "ann may promote to production",
    "commit": "build 41 is of commit 9fc1ad6ebf12",
    "success": "build 41 ended in success",
    "predecessor": "production asks for no environment before it",
    "soak": "production asks for no time in an environment before it",
    "parameters": "the parameters are what production asks for",
    "hold": "nobody holds production",
    "freeze": "production is not frozen",
    "approvals": "production asks for no approval",
    "queue": "no promotion to production is ahead",
    "uncertain": "what is in production is known, or the caller knows that it is not",
    "stages": "there are stages to run",
}


def so(**changed: Any) -> Facts:  # noqa: ANN401
    """The clear facts but for these; those that `Rules` has go there."""
    rules = {name: changed.pop(name) for name in Rules._fields if name in changed}
    return CLEAR._replace(**{"rules": Rules(**rules), **changed})


class Row(NamedTuple):
    """Facts, and what a gate says of them."""

    gate: str
    facts: Facts
    result: str
    reason: str
    cleared_by: tuple[str, ...] = ()
    earliest: int = 0


TEN = tuple(f"p{n}" for n in range(10))
TABLE = [
    Row(
        "access",
        so(access="ann may not write to octocat/app"),
        "failed",
        "ann may not write to octocat/app",
        ADMIN,
    ),
    Row(
        "repository",
        so(is_active=False),
        "failed",
        "octocat/app is disabled, and takes no new builds",
        ADMIN,
    ),
    Row(
        "environment",
        so(rules=None),
        "passed",
        "octocat/app declares no environments, so any will do",
    ),
    Row(
        "environment",
        so(rules=None, environment="prod", declared=("production", "staging")),
        "failed",
        "prod is none of the environments of octocat/app (production, staging): did you mean production?",
        ADMIN,
    ),
    Row(
        "environment",
        so(rules=None, environment="qa", declared=("production", "staging")),
        "failed",
        "qa is none of the environments of octocat/app (production, staging)",
        ADMIN,
    ),
    Row("promoters", so(rules=None), "passed", "all who may write promote to it"),
    Row(
        "promoters",
        so(promoters=("bob", "cem")),
        "failed",
        "ann is none of the promoters of production: bob, cem",
        ("bob", "cem"),
    ),
    Row(
        "promoters",
        so(promoters=(*TEN, "x", "y")),
        "failed",
        f"ann is none of the promoters of production: {', '.join(TEN)} and 2 more",
        (*TEN, "x", "y"),
    ),
    Row("promoters", so(promoters=("bob", "ann")), "passed", "ann may promote to production"),
    Row(
        "promoters",
        so(needs_admin=True),
        "failed",
        "production is promoted to by admins of octocat/app, and ann is none",
        ADMIN,
    ),
    Row("promoters", so(needs_admin=True, is_admin=True), "passed", "ann may promote to production"),
    # An admin who is not named is none of the promoters.
    Row(
        "promoters",
        so(promoters=("bob",), is_admin=True),
        "failed",
        "ann is none of the promoters of production: bob",
        ("bob",),
    ),
    # Both are asked for.
    Row(
        "promoters",
        so(promoters=("ann",), needs_admin=True),
        "failed",
        "production is promoted to by admins of octocat/app, and ann is none",
        ADMIN,
    ),
    Row("commit", so(commit=""), "failed", "build 41 has no commit, so nobody could tell what is deployed"),
    Row(
        "success",
        so(status="failure"),
        "failed",
        "build 41 is failure, and production takes builds that ended in success",
    ),
    Row(
        "success",
        so(status="running"),
        "failed",
        "build 41 is running, and production takes builds that ended in success",
    ),
    Row(
        "success",
        so(status="failure", allow_failed=True),
        "passed",
        "build 41 is failure, and production takes any build",
    ),
    Row(
        "success",
        so(status="failure", rules=None),
        "passed",
        "build 41 is failure, and production takes any build",
    ),
    Row(
        "predecessor",
        so(requires="staging"),
        "failed",
        "build 41 has not succeeded in staging yet: promote it there first",
    ),
    Row(
        "predecessor",
        so(requires="staging", succeeded=AT - HOUR),
        "passed",
        "build 41 succeeded in staging at 2026-07-01 11:00:00 UTC",
    ),
    Row(
        "soak",
        so(requires="staging", soak=2 * HOUR, succeeded=AT - HOUR),
        "waiting",
        "build 41 is to have been in staging for 2 hours, which it has at 2026-07-01 13:00:00 UTC",
        earliest=AT + HOUR,
    ),
    Row(
        "soak",
        so(requires="staging", soak=HOUR, succeeded=AT - HOUR + 1),
        "waiting",
        "build 41 is to have been in staging for 1 hour, which it has at 2026-07-01 12:00:00 UTC",
        earliest=AT + 1,
    ),
    # To the millisecond.
    Row(
        "soak",
        so(requires="staging", soak=HOUR, succeeded=AT - HOUR),
        "passed",
        "build 41 has been in staging for 1 hour",
    ),
    # It is the gate before that fails.
    Row(
        "soak",
        so(requires="staging", soak=HOUR),
        "passed",
        "there is no success in staging yet to count from",
    ),
    Row("soak", so(soak=HOUR), "passed", CLEAR_VERDICTS["soak"]),
    Row(
        "parameters",
        so(parameters=("REGION is missing", "SIZE does not match \\d+")),
        "failed",
        "REGION is missing; SIZE does not match \\d+",
    ),
    Row(
        "hold",
        so(hold=Stop("production is held by bob", "we look into it", 0)),
        "failed",
        "production is held by bob: we look into it",
        WRITER,
    ),
    Row(
        "hold",
        so(hold=Stop("octocat/* is held by bob", "the move", AT + HOUR)),
        "failed",
        "octocat/* is held by bob until 2026-07-01 13:00:00 UTC: the move",
        WRITER,
        AT + HOUR,
    ),
    Row(
        "freeze",
        so(freeze=Stop("weekend", "nobody is there", AT + HOUR)),
        "failed",
        "production is frozen by weekend until 2026-07-01 13:00:00 UTC: nobody is there",
        earliest=AT + HOUR,
    ),
    Row(
        "freeze",
        so(freeze=Stop("weekend", "", AT + HOUR)),
        "failed",
        "production is frozen by weekend until 2026-07-01 13:00:00 UTC",
        earliest=AT + HOUR,
    ),
    Row(
        "approvals",
        so(required_approvals=1, approvals_end=AT + HOUR),
        "waiting",
        "0 of 1 approvals; wanted is an admin of octocat/app, not ann, by 2026-07-01 13:00:00 UTC",
        ADMIN,
    ),
    # Who promotes is asked by nobody, nor who has approved.
    Row(
        "approvals",
        so(required_approvals=3, approvers=("ann", "bob", "cem", "dan", "eve"), approved=("cem",)),
        "waiting",
        "1 of 3 approvals (cem); wanted is one of bob, dan, eve",
        ("bob", "dan", "eve"),
    ),
    Row(
        "approvals",
        so(required_approvals=2, approvers=("ann", "bob"), approved=("bob",), approvals_end=AT + HOUR),
        "waiting",
        "1 of 2 approvals (bob), and no approver of production is left but ann: an admin of octocat/app"
        " can name more, by 2026-07-01 13:00:00 UTC",
        ADMIN,
    ),
    Row(
        "approvals",
        so(required_approvals=2, approved=("bob", "cem")),
        "passed",
        "2 of 2 approvals (bob, cem)",
    ),
    Row("approvals", so(rules=None, approved=("bob",)), "passed", CLEAR_VERDICTS["approvals"]),
    Row(
        "queue",
        so(under_way=40),
        "waiting",
        "promotion 40 to production is under way: this one goes when it has ended",
    ),
    Row(
        "queue",
        so(under_way=40, queued=42, queue="supersede"),
        "waiting",
        "promotion 40 to production is under way: this one goes when it has ended",
    ),
    Row(
        "queue",
        so(under_way=40, queue="reject"),
        "failed",
        "promotion 40 to production is under way, and no other is taken meanwhile",
    ),
    Row(
        "queue",
        so(queued=42),
        "waiting",
        "promotion 42 to production waits: this one goes when it has ended",
    ),
    # It takes the place of that one.
    Row("queue", so(queued=42, queue="supersede"), "passed", CLEAR_VERDICTS["queue"]),
    # But not of a rollback, though what that waited for has just ended.
    Row(
        "queue",
        so(queued=42, queued_stays=True, queue="supersede"),
        "waiting",
        "promotion 42 to production waits: this one goes when it has ended",
    ),
    Row(
        "queue",
        so(queued=42, queue="reject"),
        "failed",
        "promotion 42 to production waits, and no other is taken meanwhile",
    ),
    Row(
        "queue",
        so(under_way=40, rules=None),
        "passed",
        "production is not declared, and has no queue",
    ),
    Row("uncertain", so(uncertain="promotion 7 was lost"), "failed", "promotion 7 was lost", WRITER),
    Row("stages", so(stages="no pipeline is for it"), "failed", "no pipeline is for it"),
]
AGAINST = [row for row in TABLE if row.result in ("failed", "waiting")]


def verdict(gate: str, *args: Any, **options: Any) -> Verdict:  # noqa: ANN401
    """What one gate says."""
    return evaluate(*args, **options)[NAMES.index(gate)]


def test_a_promotion_that_nothing_is_against_passes_every_gate() -> None:
    assert evaluate(CLEAR) == tuple(
        Verdict(gate, "passed", reason) for gate, reason in CLEAR_VERDICTS.items()
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.gate}: {row.reason[:60]}")
def test_what_a_gate_says(row: Row) -> None:
    wanted = Verdict(row.gate, row.result, row.reason, row.cleared_by, row.earliest)  # type: ignore[arg-type]
    assert verdict(row.gate, row.facts) == wanted
    # Each row is about its gate alone, but that there is no soaking before there is a success.
    others = [each.gate for each in against(evaluate(row.facts)) if each.gate != row.gate]
    assert others == (["predecessor"] if row.reason.startswith("there is no success") else [])


def test_every_gate_is_in_the_table_with_what_is_against_it() -> None:
    assert {row.gate for row in AGAINST} == set(NAMES)


@pytest.mark.parametrize("row", AGAINST, ids=lambda row: f"{row.gate}: {row.reason[:60]}")
def test_what_an_override_and_a_rollback_pass(row: Row) -> None:
    everything = {name: Override("root", "it burns") for name in NAMES}
    passed = verdict(row.gate, row.facts, everything)
    if row.gate in ("success", "predecessor", "hold", "freeze"):
        told = f"passed by root: it burns ({row.reason})"
        assert passed == Verdict(row.gate, "overridden", told)
    else:
        assert passed == verdict(row.gate, row.facts)

    rolled_back = verdict(row.gate, row.facts, is_rollback=True)
    if row.gate in ("success", "predecessor", "soak", "hold", "freeze", "approvals", "uncertain"):
        assert rolled_back == Verdict(row.gate, "skipped", f"a rollback passes it over: {row.reason}")
    else:
        assert rolled_back == verdict(row.gate, row.facts)
    # With other parameters than were there, approvals are asked for as well.
    other = verdict(row.gate, row.facts._replace(changes_parameters=True), is_rollback=True)
    assert other == (verdict(row.gate, row.facts) if row.gate == "approvals" else rolled_back)


def test_what_can_be_overridden() -> None:
    assert OVERRIDABLE == ("success", "predecessor", "hold", "freeze")


def test_an_override_of_what_passes_has_no_effect() -> None:
    assert evaluate(CLEAR, {"hold": Override("root", "just in case")}) == evaluate(CLEAR)


def test_who_has_passed_a_gate_has_passed_it_while_the_promotion_waits() -> None:
    held = so(hold=Stop("production is held by bob", "first", 0), required_approvals=1)
    before = evaluate(held, {"hold": Override("root", "it burns")})
    overridden = Verdict(
        "hold", "overridden", "passed by root: it burns (production is held by bob: first)"
    )
    assert before[NAMES.index("hold")] == overridden
    # Also once nobody holds it any more: it stays on record.
    for hold in (held.hold, None):
        assert verdict("hold", held._replace(hold=hold), before=before) == overridden
    # Another hold is not what was passed: by somebody else, for other reasons, until another time.
    for hold, told in (
        (Stop("production is held by cem", "first", 0), "production is held by cem: first"),
        (Stop("production is held by bob", "second", 0), "production is held by bob: second"),
        (
            Stop("production is held by bob", "first", AT + HOUR),
            "production is held by bob until 2026-07-01 13:00:00 UTC: first",
        ),
        (Stop("held by bob", "first", 0), "held by bob: first"),
    ):
        again = verdict("hold", held._replace(hold=hold), before=before)
        assert again == Verdict("hold", "failed", told, WRITER, hold.until)
    # What passed by itself, failed or waited is asked again.
    clear = evaluate(CLEAR)
    assert verdict("hold", held, before=clear).result == "failed"
    assert verdict("approvals", held, before=clear).result == "waiting"
    assert evaluate(CLEAR, before=evaluate(so(hold=held.hold))) == clear


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (1, "0.001 s"),
        (1500, "1.5 s"),
        (45_000, "45 s"),
        (60_000, "1 minute"),
        (60_500, "60.5 s"),
        (90_000, "90 s"),
        (30 * 60_000, "30 minutes"),
        (HOUR, "1 hour"),
        (90 * 60_000, "90 minutes"),
        (24 * HOUR, "1 day"),
        (7 * 24 * HOUR, "7 days"),
    ],
)
def test_a_length_of_time_in_words(milliseconds: int, words: str) -> None:
    assert length(milliseconds) == words


def test_a_time_in_words() -> None:
    assert shown(AT + 1999) == "2026-07-01 12:00:01 UTC"


LOGINS = st.sampled_from(["ann", "bob", "cem", ""])
SOME = st.lists(LOGINS, max_size=12).map(tuple)
WORDS = st.text(max_size=8)
# Until the end of what a Timestamp holds, with room for a year's soak.
TIMES = st.one_of(st.just(0), st.integers(AT - 3, AT + 3), st.integers(0, 250_000_000_000_000))
LENGTHS = st.one_of(st.integers(0, 3), st.integers(0, 365 * 24 * HOUR))
NUMBERS = st.integers(0, 3)
STOPS = st.none() | st.builds(Stop, WORDS, WORDS, TIMES)
RULES = st.none() | st.builds(
    Rules,
    version=NUMBERS,
    promoters=SOME,
    needs_admin=st.booleans(),
    required_approvals=st.integers(0, 10),
    approvers=SOME,
    approval_window=LENGTHS,
    requires=st.sampled_from(["", "staging"]),
    soak=LENGTHS,
    allow_failed=st.booleans(),
    queue=st.sampled_from(["queue", "supersede", "reject"]),
)
FACTS = st.builds(
    Facts,
    at=TIMES,
    slug=WORDS,
    environment=WORDS,
    login=LOGINS,
    is_admin=st.booleans(),
    access=WORDS,
    build=NUMBERS,
    status=st.sampled_from(["success", "failure", "pending", ""]),
    commit=WORDS,
    rules=RULES,
    declared=st.lists(WORDS, max_size=4).map(tuple),
    is_active=st.booleans(),
    succeeded=TIMES,
    parameters=st.lists(WORDS, max_size=2).map(tuple),
    hold=STOPS,
    freeze=STOPS,
    approved=SOME,
    approvals_end=TIMES,
    under_way=NUMBERS,
    queued=NUMBERS,
    queued_stays=st.booleans(),
    changes_parameters=st.booleans(),
    uncertain=WORDS,
    stages=WORDS,
)
OVERRIDES = st.dictionaries(st.sampled_from(NAMES), st.builds(Override, LOGINS, WORDS))


@settings(max_examples=300, deadline=None)
@given(facts=FACTS, overrides=OVERRIDES, is_rollback=st.booleans(), earlier=FACTS)
def test_any_facts_have_one_verdict_of_each_gate(
    facts: Facts, overrides: dict[str, Override], is_rollback: bool, earlier: Facts
) -> None:
    before = evaluate(earlier, overrides, is_rollback)
    for verdicts in (
        evaluate(facts, overrides, is_rollback),
        evaluate(facts, is_rollback=is_rollback, before=before),
    ):
        assert tuple(each.gate for each in verdicts) == NAMES
        for each in verdicts:
            assert each.reason or each.gate in ("access", "parameters", "uncertain", "stages"), each
            if each.result not in ("failed", "waiting"):
                assert (each.cleared_by, each.earliest) == ((), 0)
        waiting = {each.gate for each in verdicts if each.result == "waiting"}
        assert waiting <= {"soak", "approvals", "queue"}
        # What clears by itself does so later on.
        assert all(each.earliest > facts.at for each in verdicts if each.gate == "soak" and each.earliest)


BETTER = {"failed": 0, "waiting": 1, "overridden": 2, "skipped": 2, "passed": 2}


def no_worse(one: tuple[Verdict, ...], other: tuple[Verdict, ...]) -> bool:
    """Whether the first stands against nothing that the other does not stand against."""
    return all(BETTER[a.result] >= BETTER[b.result] for a, b in zip(one, other, strict=True))


@settings(max_examples=200, deadline=None)
@given(facts=FACTS, overrides=OVERRIDES, is_rollback=st.booleans(), more=SOME)
def test_help_never_makes_it_worse(
    facts: Facts, overrides: dict[str, Override], is_rollback: bool, more: tuple[str, ...]
) -> None:
    plain = evaluate(facts, is_rollback=is_rollback)
    assert no_worse(evaluate(facts, overrides, is_rollback), plain)
    assert no_worse(evaluate(facts, is_rollback=True), evaluate(facts))
    # One more person approves, a hold or freeze is gone, the caller becomes an admin, time passes.
    approved = facts._replace(approved=(*facts.approved, *more))
    assert no_worse(evaluate(approved, is_rollback=is_rollback), plain)
    for better in (
        {"hold": None},
        {"freeze": None},
        {"is_admin": True},
        {"at": facts.at + HOUR},
        {"status": "success"},
        {"under_way": 0},
        {"queued": 0},
    ):
        assert no_worse(evaluate(facts._replace(**better), is_rollback=is_rollback), plain), better
    # Nothing but the four is passed by name.
    for one, other in zip(evaluate(facts, overrides), evaluate(facts), strict=True):
        assert one == other or (one.gate in OVERRIDABLE and one.result == "overridden")
