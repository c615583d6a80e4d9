"""A build as a plain page, for whoever follows a link to it. It loads and runs nothing."""

from collections.abc import Iterable, Iterator
from html import escape

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import builds_pb2 as pb
from starlette.types import Receive, Scope, Send

from shipliftd.gateway import page
from shipliftd.gateway.edge import answer
from shipliftd.gateway.exchange import Exchange, Stubs
from shipliftd.gateway.failures import Failure, no_route, not_allowed
from shipliftd.gateway.shapes import words_of

_HEADERS = (
    (
        b"content-security-policy",
        f"{page.POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
# What is not there and what may not be read look alike.
_HIDDEN = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
_STATUS = words_of(pb.DESCRIPTOR.enum_types_by_name["BuildStatus"])
_EVENT = words_of(pb.DESCRIPTOR.enum_types_by_name["BuildEvent"])
_RESULT = words_of(pb.DESCRIPTOR.enum_types_by_name["GateResult"])
Row = tuple[str, str]


class _Visit(Exchange):
    """A request of a browser: a token in its address would stay in its history, and is not looked at."""

    @property
    def _authorization(self) -> str | None:
        return self.header("authorization")


class BuildPage:
    """Answers GET /OWNER/REPO/NUMBER."""

    def __init__(self, stubs: Stubs) -> None:
        self._stubs = stubs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        if not scope["path_params"]["build"].isdecimal():
            raise no_route(scope["path"])
        if scope["method"] not in ("GET", "HEAD"):
            raise not_allowed(("GET", "HEAD"))
        visit = _Visit(self._stubs, scope, receive)
        try:
            request = pb.GetBuildRequest(**visit.repository, build=visit.build)
            build = await visit.call(visit.builds.GetBuild, request)
            link = ""
            if build.status == pb.BUILD_STATUS_BLOCKED and build.deploy_to:
                # For whoever is to approve it.
                of_it = pb.PromoteRequest(**visit.repository, build=visit.build)
                link = (await visit.call(visit.builds.DiffPromotion, of_it)).compare_link
            status, body = 200, _build(build, link)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _HIDDEN:
                raise
            status, body = 404, _hidden(scope["path"])
        except Failure:
            status, body = 404, _hidden(scope["path"])
        await answer(send, status, body, _HEADERS, page.HTML)


def _hidden(path: str) -> bytes:
    _, owner, repo, number = path.split("/")
    command = escape(f"shiplift show {number} -R {owner}/{repo}")
    return page.whole(
        "No such build",
        "<p>It is not there, or not for everybody to see. Who may read the repository sees it with</p>"
        f"<p><code>{command}</code></p>"
        "<p>or by sending a token to this page as <code>Authorization: Bearer TOKEN</code>.</p>",
    )


def _build(build: pb.Build, compare_link: str) -> bytes:
    title = f"{build.owner}/{build.repo} {build.number}: {_STATUS[build.status]}"
    stages = "".join(_stage(stage) for stage in build.stages)
    return page.whole(title, f"{_table(_rows(build, compare_link))}{_gates(build)}{stages}")


def _rows(build: pb.Build, compare_link: str) -> Iterator[Row]:
    yield "status", _text(_STATUS[build.status])
    yield "error", _text(build.error)
    yield "waiting for", _text(build.waiting_for)
    for warning in build.warnings:
        yield "warning", _text(warning)
    yield "event", _text(_EVENT[build.event])
    for name, number in (
        ("promoted build", build.parent),
        ("repeats", build.retry_of),
        ("rolls back", build.rollback_of),
        ("rolled back by", build.rolled_back_by),
        ("superseded by", build.superseded_by),
    ):
        yield name, f'<a href="{number}">{number}</a>' if number else ""
    yield "environment", _text(build.deploy_to)
    yield "release", _text(build.release)
    yield "commit", _text(build.after)
    yield "branch", _text(build.target)
    yield "ref", _text(build.ref)
    yield "message", _text(build.message)
    yield "author", _text(build.author_name or build.author_login)
    yield "link", _link(build.link)
    yield "compare", _link(compare_link)
    yield "by", _text(build.trigger)
    yield "comment", _text(build.comment)
    for name in ("created", "started", "finished"):
        yield name, _time(getattr(build, name))
    for name, value in sorted(build.params.items()):
        yield "parameter", _text(f"{name}={value}")


def _gates(build: pb.Build) -> str:
    """What each gate says, and who has approved or declined."""
    if not build.verdicts:
        return ""
    rows = [(verdict.gate, _text(_verdict(verdict))) for verdict in build.verdicts]
    people = [(approval.login, _text(_approval(approval))) for approval in build.approvals]
    approvals = f"<h2>Approvals</h2>{_table(people)}" if people else ""
    return f"<h2>Gates</h2>{_table(rows)}{approvals}"


def _verdict(verdict: pb.Verdict) -> str:
    clears = f"; cleared by {', '.join(verdict.cleared_by)}" if verdict.cleared_by else ""
    earliest = f"; at the earliest {_time(verdict.earliest)}" if verdict.HasField("earliest") else ""
    return f"{_RESULT[verdict.result]}: {verdict.reason}{clears}{earliest}"


def _approval(approval: pb.Approval) -> str:
    said = f"{'declined' if approval.declined else 'approved'} at {_time(approval.at)}"
    void = ", which counts no more, since the rules have changed" if approval.void else ""
    return f"{said}{void}: {approval.comment}" if approval.comment else f"{said}{void}"


def _stage(stage: pb.Stage) -> str:
    platform = "/".join(word for word in (stage.os, stage.arch, stage.variant) if word)
    rows = (
        ("status", _text(_STATUS[stage.status])),
        ("error", _text(stage.error)),
        ("says", _text(stage.message)),
        ("link", _link(stage.link)),
        ("kind", _text(f"{stage.kind} {stage.type}".strip())),
        ("platform", _text(platform)),
        ("machine", _text(stage.machine)),
        ("started", _time(stage.started)),
        ("stopped", _time(stage.stopped)),
    )
    steps = ((f"step {step.number}", _text(_step(step))) for step in stage.steps)
    return f"<h2>Stage {stage.number}: {escape(stage.name)}</h2>{_table((*rows, *steps))}"


def _step(step: pb.Step) -> str:
    code = f", exit code {step.exit_code}" if step.exit_code else ""
    return f"{step.name}: {_STATUS[step.status]}{code}"


def _table(rows: Iterable[Row]) -> str:
    """Rows of a text and HTML; what is empty is left out."""
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{cell}</td></tr>" for name, cell in rows if cell)
    return f"<table>{cells}</table>"


def _text(text: str) -> str:
    return escape(text)


def _link(address: str) -> str:
    # Whoever recorded the build chose it: `javascript:` must stay a text.
    if not address.startswith(("https://", "http://")):
        return escape(address)
    return f'<a href="{escape(address)}" rel="noreferrer nofollow">{escape(address)}</a>'


def _time(time: Timestamp) -> str:
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC" if time.ByteSize() else ""
