"""A build as it is shown: its fields, what gates said of it, its stages and steps."""

from collections.abc import Iterable, Sequence

from shiplift.cli.output import put, when, word
from shiplift.cli.session import Session
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.masking import MASK
from shiplift.v1 import builds_pb2 as pb

_MOST_NAMES = 5


def event_of(build: pb.Build) -> str:
    """The event, and which build it is a promotion of."""
    event = word(pb.BuildEvent, build.event)
    return f"{event} of {build.parent}" if build.parent else event


def show_build(session: Session, build: pb.Build) -> None:
    """Puts out a build in the form that was asked for."""
    session.show(build, lambda: _put_build(build, wide=session.wide))


def _put_build(build: pb.Build, *, wide: bool) -> None:
    author = f"{build.author_name} <{build.author_email}>" if build.author_email else build.author_name
    put_fields(
        (
            ("repository", f"{build.owner}/{build.repo}"),
            ("build", str(build.number)),
            ("status", word(pb.BuildStatus, build.status)),
            ("error", build.error),
            ("waiting for", build.waiting_for),
            ("warnings", "\n".join(build.warnings)),
            ("event", event_of(build)),
            ("environment", build.deploy_to),
            ("release", build.release),
            ("commit", build.after),
            ("branch", build.target),
            ("ref", build.ref),
            ("title", build.title),
            ("message", build.message),
            ("author", author or build.author_login),
            ("link", build.link),
            ("external id", build.external_id),
            ("retry of", str(build.retry_of or "")),
            ("rollback of", str(build.rollback_of or "")),
            ("rolled back by", str(build.rolled_back_by or "")),
            ("superseded by", str(build.superseded_by or "")),
            ("comment", build.comment),
            ("approvals", "\n".join(map(_approval, build.approvals))),
            ("by", build.trigger),
            ("created", when(build, "created")),
            ("started", when(build, "started")),
            ("finished", when(build, "finished")),
            ("artifacts", "\n".join(f"{each.name} {each.uri} {each.digest}" for each in build.artifacts)),
            ("params", shown_params(build)),
        )
    )
    if against := [each for each in build.verdicts if each.result != pb.GATE_RESULT_PASSED]:
        put("")
        put_verdicts(against, wide=wide)
    if build.stages:
        put("")
        put_stages(build, wide=wide)
    steps = [_step_row(stage, step) for stage in build.stages for step in stage.steps]
    if steps:
        put("")
        put_table(_STEP_COLUMNS, steps, wide=wide)


def shown_params(build: pb.Build) -> str:
    """The parameters, a line each."""
    shown = {**dict.fromkeys(build.masked_params, MASK.decode()), **build.params}
    return "\n".join(f"{name}={value}" for name, value in sorted(shown.items()))


def _approval(approval: pb.Approval) -> str:
    said = "declined" if approval.declined else "approved"
    void = " (void: the rules have changed)" if approval.void else ""
    comment = f": {approval.comment}" if approval.comment else ""
    return f"{said} by {approval.login}, {when(approval, 'at')[:16]}{void}{comment}"


def put_verdicts(verdicts: Iterable[pb.Verdict], *, wide: bool) -> None:
    """What gates say, with who clears what is against it, and when it clears by itself."""
    put_table(_VERDICT_COLUMNS, map(_verdict_row, verdicts), wide=wide)


_VERDICT_COLUMNS = (
    Column("GATE"),
    Column("RESULT"),
    Column("WHY", is_text=True, is_folded=True),
    Column("CLEARED BY", 1, is_text=True, is_folded=True),
    Column("EARLIEST", 2),
)


def _verdict_row(verdict: pb.Verdict) -> Sequence[str]:
    return (
        verdict.gate,
        word(pb.GateResult, verdict.result),
        verdict.reason,
        some(verdict.cleared_by),
        when(verdict, "earliest")[:16],
    )


def some(names: Sequence[str]) -> str:
    """The first few of some names."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def put_stages(build: pb.Build, *, wide: bool) -> None:
    """The stages of a build."""
    put_table(_STAGE_COLUMNS, map(_stage_row, build.stages), wide=wide)


_STAGE_COLUMNS = (
    Column("STAGE"),
    Column("NAME"),
    Column("STATUS"),
    Column("KIND", 3),
    Column("TYPE", 4),
    Column("PLATFORM", 5),
    Column("MESSAGE", 1, is_text=True),
    Column("LINK", 2),
)


def _stage_row(stage: pb.Stage) -> Sequence[str]:
    return (
        str(stage.number),
        stage.name,
        word(pb.BuildStatus, stage.status),
        stage.kind,
        stage.type,
        "/".join(filter(None, (stage.os, stage.arch))),
        stage.error or stage.message,
        stage.link,
    )


_STEP_COLUMNS = (
    Column("STEP"),
    Column("NAME"),
    Column("STATUS"),
    Column("EXIT", 1),
    Column("BEGAN", 3),
    Column("ENDED", 4),
    Column("ERROR", 2, is_text=True),
)


def _step_row(stage: pb.Stage, step: pb.Step) -> Sequence[str]:
    return (
        f"{stage.number}/{step.number}",
        step.name,
        word(pb.BuildStatus, step.status),
        str(step.exit_code or ""),
        when(step, "started")[11:19],
        when(step, "stopped")[11:19],
        step.error,
    )
