"""The gates of a promotion: facts in, verdicts out. Pure, and all of what decides.

Each gate is a function and a row of `GATES`. What a gate says is the same for whoever asks, by which door,
and whether to promote or to have it explained; `docs/gates.md` says of each whether it fails or waits.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, NamedTuple

Result = Literal["passed", "failed", "waiting", "overridden", "skipped"]


class Verdict(NamedTuple):
    """What a gate says of a promotion; `earliest` is when that changes by itself, 0 for nobody knows."""

    gate: str
    result: Result
    reason: str
    cleared_by: tuple[str, ...] = ()
    earliest: int = 0


class Override(NamedTuple):
    """Who passes a gate that failed, and why."""

    by: str
    reason: str


class Stop(NamedTuple):
    """A hold or a freeze: what it is called, why, and until when; 0: until it is taken back."""

    name: str
    reason: str
    until: int


class Rules(NamedTuple):
    """The rules of a declared environment that gates ask about; times are milliseconds."""

    version: int = 0
    promoters: tuple[str, ...] = ()
    needs_admin: bool = False
    required_approvals: int = 0
    approvers: tuple[str, ...] = ()
    approval_window: int = 0
    requires: str = ""
    soak: int = 0
    allow_failed: bool = False
    queue: Literal["queue", "supersede", "reject"] = "queue"


class Facts(NamedTuple):
    """All that the gates know. What is not so in the store is left at its default."""

    at: int
    slug: str
    environment: str
    # Who promotes, and why they may not ('' where they may).
    login: str
    is_admin: bool = False
    access: str = ""
    # What is promoted.
    build: int = 0
    status: str = "success"
    commit: str = ""
    # None: the environment is not declared.
    rules: Rules | None = None
    # The environments that the repository declares.
    declared: tuple[str, ...] = ()
    is_active: bool = True
    # When the origin first succeeded in the environment that is required, 0 for never.
    succeeded: int = 0
    # What the parameters lack, a sentence each.
    parameters: tuple[str, ...] = ()
    hold: Stop | None = None
    freeze: Stop | None = None
    # The logins of those who approved, and when nobody can any more.
    approved: tuple[str, ...] = ()
    # Of those who did so under rules that have changed since.
    void: tuple[str, ...] = ()
    approvals_end: int = 0
    # The promotion that is under way, and the first that waits for it to end; 0 for none.
    under_way: int = 0
    queued: int = 0
    # Whether that is a rollback, which a newer promotion does not replace.
    queued_stays: bool = False
    is_rollback: bool = False
    # A rollback with parameters that what it puts back has never succeeded with there.
    changes_parameters: bool = False
    # Why nobody knows what is there, '' where that is known or the loss is accepted.
    uncertain: str = ""
    # Why there is nothing to run.
    stages: str = ""


class _No(NamedTuple):
    """Why a gate does not pass."""

    reason: str
    cleared_by: tuple[str, ...] = ()
    earliest: int = 0
    waits: bool = False


Said = _No | str


def access(facts: Facts) -> Said:
    """Fails: the caller may not promote there."""
    if facts.access:
        return _No(facts.access, (f"an admin of {facts.slug}",))
    return f"{facts.login} may promote in {facts.slug}"


def repository(facts: Facts) -> Said:
    """Fails: the repository is disabled."""
    if not facts.is_active:
        return _No(f"{facts.slug} is disabled, and takes no new builds", (f"an admin of {facts.slug}",))
    return f"{facts.slug} is active"


def environment(facts: Facts) -> Said:
    """Fails: the repository declares its environments, and this is none of them."""
    if facts.rules is not None:
        return f"{facts.environment} is declared"
    if not facts.declared:
        return f"{facts.slug} declares no environments, so any will do"
    return _No(unknown(facts.slug, facts.environment, facts.declared), (f"an admin of {facts.slug}",))


def unknown(slug: str, name: str, declared: Sequence[str]) -> str:
    """What is said of an environment that is none of those that are declared, with the nearest."""
    # `prod` is not close to `production`, and what is often typed for it.
    near = [each for each in declared if each.startswith(name)] or get_close_matches(name, declared, n=1)
    mean = f": did you mean {near[0]}?" if near else ""
    return f"{name} is none of the environments of {slug} ({', '.join(declared[:20])}){mean}"


def promoters(facts: Facts) -> Said:
    """Fails: the environment names who promotes to it, or asks for admins, and the caller is none."""
    rules = facts.rules
    if rules is None:
        return "all who may write promote to it"
    if rules.promoters and facts.login not in rules.promoters:
        return _No(
            f"{facts.login} is none of the promoters of {facts.environment}: {_some(rules.promoters)}",
            rules.promoters,
        )
    if rules.needs_admin and not facts.is_admin:
        return _No(
            f"{facts.environment} is promoted to by admins of {facts.slug}, and {facts.login} is none",
            (f"an admin of {facts.slug}",),
        )
    return f"{facts.login} may promote to {facts.environment}"


def commit(facts: Facts) -> Said:
    """Fails: nobody could tell what is deployed."""
    if not facts.commit:
        return _No(f"build {facts.build} has no commit, so nobody could tell what is deployed")
    return f"build {facts.build} is of commit {facts.commit[:12]}"


def success(facts: Facts) -> Said:
    """Fails: the build that is promoted has not ended in success, and the environment asks for that."""
    if facts.status == "success":
        return f"build {facts.build} ended in success"
    if facts.rules is None or facts.rules.allow_failed:
        return f"build {facts.build} is {facts.status}, and {facts.environment} takes any build"
    return _No(
        f"build {facts.build} is {facts.status}, and {facts.environment} takes builds that ended in success"
    )


def predecessor(facts: Facts) -> Said:
    """Fails: what is promoted has not succeeded in the environment that comes before."""
    required = facts.rules.requires if facts.rules is not None else ""
    if not required:
        return f"{facts.environment} asks for no environment before it"
    if not facts.succeeded:
        return _No(f"build {facts.build} has not succeeded in {required} yet: promote it there first")
    return f"build {facts.build} succeeded in {required} at {shown(facts.succeeded)}"


def soak(facts: Facts) -> Said:
    """Waits: what is promoted has not been in the environment before for long enough."""
    rules = facts.rules
    if rules is None or not rules.requires or not rules.soak:
        return f"{facts.environment} asks for no time in an environment before it"
    if not facts.succeeded:
        return f"there is no success in {rules.requires} yet to count from"
    end = facts.succeeded + rules.soak
    if facts.at < end:
        return _No(
            f"build {facts.build} is to have been in {rules.requires} for {length(rules.soak)}, which it"
            f" has at {shown(end)}",
            earliest=end,
            waits=True,
        )
    return f"build {facts.build} has been in {rules.requires} for {length(rules.soak)}"


def parameters(facts: Facts) -> Said:
    """Fails: the parameters are not those that the environment asks for."""
    if facts.parameters:
        return _No("; ".join(facts.parameters))
    return f"the parameters are what {facts.environment} asks for"


def hold(facts: Facts) -> Said:
    """Fails: somebody has stopped the environment."""
    held = facts.hold
    if held is None:
        return f"nobody holds {facts.environment}"
    until = f" until {shown(held.until)}" if held.until else ""
    return _No(
        f"{held.name}{until}: {held.reason}", (f"who may write to {facts.slug}",), earliest=held.until
    )


def freeze(facts: Facts) -> Said:
    """Fails: it is a time in which nothing is promoted."""
    frozen = facts.freeze
    if frozen is None:
        return f"{facts.environment} is not frozen"
    why = f": {frozen.reason}" if frozen.reason else ""
    return _No(
        f"{facts.environment} is frozen by {frozen.name} until {shown(frozen.until)}{why}",
        earliest=frozen.until,
    )


def approvals(facts: Facts) -> Said:
    """Waits: fewer people than the environment asks for have approved."""
    rules = facts.rules
    wanted = rules.required_approvals if rules is not None else 0
    if rules is None or not wanted:
        return f"{facts.environment} asks for no approval"
    given = f" ({', '.join(facts.approved)})" if facts.approved else ""
    void = f" (void since the rules changed: {', '.join(facts.void)})" if facts.void else ""
    told = f"{len(facts.approved)} of {wanted} approvals{given}{void}"
    if len(facts.approved) >= wanted:
        return told
    end = f", by {shown(facts.approvals_end)}" if facts.approvals_end else ""
    admin = f"an admin of {facts.slug}"
    left = tuple(login for login in rules.approvers if login not in (*facts.approved, facts.login))
    if not rules.approvers:
        return _No(f"{told}; wanted is {admin}, not {facts.login}{end}", (admin,), waits=True)
    if not left:
        return _No(
            f"{told}, and no approver of {facts.environment} is left but {facts.login}: {admin} can name"
            f" more{end}",
            (admin,),
            waits=True,
        )
    return _No(f"{told}; wanted is one of {_some(left)}{end}", left, waits=True)


def queue(facts: Facts) -> Said:
    """Waits, or fails where the environment says so: another promotion to it is under way."""
    rules = facts.rules
    if rules is None:
        return f"{facts.environment} is not declared, and has no queue"
    # Those that wait are replaced where the environment says so, but for what is to be put back.
    is_replaced = rules.queue == "supersede" and not facts.queued_stays
    ahead = facts.under_way or (0 if is_replaced else facts.queued)
    if not ahead:
        return f"no promotion to {facts.environment} is ahead"
    told = f"promotion {ahead} to {facts.environment} {'is under way' if facts.under_way else 'waits'}"
    if rules.queue == "reject" and not facts.is_rollback:
        return _No(f"{told}, and no other is taken meanwhile")
    return _No(f"{told}: this one goes when it has ended", waits=True)


def uncertain(facts: Facts) -> Said:
    """Fails: a runner was lost on its way there, and nobody knows what is there."""
    if facts.uncertain:
        return _No(facts.uncertain, (f"who may write to {facts.slug}",))
    return f"what is in {facts.environment} is known, or the caller knows that it is not"


def stages(facts: Facts) -> Said:
    """Fails: there is nothing to run."""
    if facts.stages:
        return _No(facts.stages)
    return "there are stages to run"


class Gate(NamedTuple):
    """A gate, and who may pass it by."""

    ask: Callable[[Facts], Said]
    # Somebody who may do so passes it by name, with a reason.
    can_be_overridden: bool = False
    # A rollback passes it by,
    is_skipped_by_rollback: bool = False
    # but not where its parameters are others than were there: nobody has approved those.
    is_asked_of_other_parameters: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.ask.__name__


GATES = (
    Gate(access),
    Gate(repository),
    Gate(environment),
    Gate(promoters),
    Gate(commit),
    Gate(success, can_be_overridden=True, is_skipped_by_rollback=True),
    Gate(predecessor, can_be_overridden=True, is_skipped_by_rollback=True),
    Gate(soak, is_skipped_by_rollback=True),
    Gate(parameters),
    Gate(hold, can_be_overridden=True, is_skipped_by_rollback=True),
    Gate(freeze, can_be_overridden=True, is_skipped_by_rollback=True),
    Gate(approvals, is_skipped_by_rollback=True, is_asked_of_other_parameters=True),
    Gate(queue),
    Gate(uncertain, is_skipped_by_rollback=True),
    Gate(stages),
)
OVERRIDABLE = tuple(gate.name for gate in GATES if gate.can_be_overridden)


def evaluate(
    facts: Facts,
    overrides: Mapping[str, Override] = MappingProxyType({}),
    is_rollback: bool = False,
    before: Sequence[Verdict] = (),
) -> tuple[Verdict, ...]:
    """The verdict of every gate, in their order. An override of what does not fail has no effect.

    Of a promotion that waits, `before` is what they said when they were asked last: who passed a gate then
    has passed it, unless another reason stands against it now. What a rollback waits for it does not skip.
    """
    last = {verdict.gate: verdict for verdict in before}
    return tuple(
        _verdict(gate, facts, overrides.get(gate.name), is_rollback, last.get(gate.name)) for gate in GATES
    )


def _verdict(
    gate: Gate, facts: Facts, override: Override | None, is_rollback: bool, last: Verdict | None
) -> Verdict:
    said = gate.ask(facts)
    if (
        last is not None
        and last.result == "overridden"
        and (isinstance(said, str) or last.reason.endswith(f" ({said.reason})"))
    ):
        # Also where it would pass by now: it stays on record.
        return last
    if isinstance(said, str):
        return Verdict(gate.name, "passed", said)
    # Whether it was given another secret parameter is known only as it is asked for.
    is_asked = (gate.is_asked_of_other_parameters and facts.changes_parameters) or (
        last is not None and last.result == "waiting"
    )
    if is_rollback and gate.is_skipped_by_rollback and not is_asked:
        return Verdict(gate.name, "skipped", f"a rollback passes it over: {said.reason}")
    if override is not None and gate.can_be_overridden and not said.waits:
        told = f"passed by {override.by}: {override.reason} ({said.reason})"
        return Verdict(gate.name, "overridden", told)
    result: Result = "waiting" if said.waits else "failed"
    return Verdict(gate.name, result, said.reason, said.cleared_by, said.earliest)


def against(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that do not let it go now."""
    return [verdict for verdict in verdicts if verdict.result in ("failed", "waiting")]


def shown(at: int) -> str:
    """A time, in words."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def length(milliseconds: int) -> str:
    """A length of time, in words."""
    for name, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if milliseconds >= size and milliseconds % size == 0:
            count = milliseconds // size
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{milliseconds / 1000:g} s"


def _some(names: Sequence[str]) -> str:
    more = len(names) - 10
    return ", ".join(names[:10]) + (f" and {more} more" if more > 0 else "")
