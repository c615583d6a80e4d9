"""Traces: what a real collector is told of calls, and what the log says of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2, builds_pb2
from shiplift.v1 import stages_pb2 as pb

from tests.support.beside import held
from tests.support.collector import Collector, Span
from tests.support.gateway import Caller, logged
from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import within
from tests.support.refusals import code_of
from tests.support.repository import COMMIT, Repository
from tests.support.staged import Staged

SERVICE = "shiplift.v1.BuildService"
# Sent soon, and not only after 5 s.
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector that the tests of this file share: each looks for a trace of its own."""
    with Collector() as listening:
        yield listening


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server that tells it."""
    database = tmp_path_factory.mktemp("traced") / "shiplift.db"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **SOON}
    with Shipliftd(database, ("--http", "127.0.0.1:0"), environment=environment) as running:
        yield running


@pytest.fixture
def application(traced: Shipliftd, name: str) -> Repository:
    """A new repository on it."""
    return Repository.make(traced, "octocat", name)


class Trace:
    """A trace that the caller has begun."""

    def __init__(self, flags: str = "01") -> None:
        self.id, self.span = os.urandom(16).hex(), os.urandom(8).hex()
        self.parent = f"00-{self.id}-{self.span}-{flags}"

    def has(self, span: Span) -> bool:
        """Whether a span is in it."""
        return span.trace_id == self.id


def get(repository: Repository, build: int, *metadata: tuple[str, str]) -> builds_pb2.Build:
    request = builds_pb2.GetBuildRequest(owner=repository.owner, repo=repository.name, build=build)
    return repository.builds.GetBuild(request, metadata=metadata)


def test_a_call_is_a_span_of_its_callers_trace(collector: Collector, application: Repository) -> None:
    application.record()
    trace = Trace()
    get(application, 1, ("traceparent", trace.parent), ("x-request-id", f"{application.name}-get"))
    span = collector.wait(trace.has)
    assert span == Span(
        name=f"{SERVICE}/GetBuild",
        kind="SERVER",
        trace_id=trace.id,
        id=span.id,
        parent=trace.span,
        attributes={
            "rpc.system.name": "grpc",
            "rpc.method": f"{SERVICE}/GetBuild",
            "rpc.request.metadata.x-request-id": [f"{application.name}-get"],
            "rpc.response.status_code": "OK",
        },
        status="UNSET",
        service="shipliftd",
    )
    line = logged(application.server, f"{application.name}-get", "call")
    assert (line["method"], line["code"], line["trace_id"]) == ("GetBuild", "OK", trace.id)


def test_a_call_without_a_trace_begins_one_and_its_line_has_it(
    collector: Collector, application: Repository
) -> None:
    told = f"{application.name}-alone"
    assert code_of(get, application, 9, ("x-request-id", told)) == grpc.StatusCode.NOT_FOUND
    span = collector.wait(lambda span: span.attributes.get("rpc.request.metadata.x-request-id") == [told])
    assert (span.parent, span.status) == ("", "UNSET")
    assert span.attributes["rpc.response.status_code"] == "NOT_FOUND"
    line = logged(application.server, told, "call")
    assert (line["code"], line["trace_id"]) == ("NOT_FOUND", span.trace_id)


@pytest.mark.parametrize("parent", ["", "00-zz", f"00-{'0' * 32}-{'1' * 16}-01", "é"])
def test_what_is_no_trace_is_not_taken_for_one(
    collector: Collector, application: Repository, parent: str
) -> None:
    application.record()
    admin = Caller(application.server.http, application.server.admin_token)
    told = f"{application.name}-wrong"
    path = f"/api/repos/{application.slug}/builds/1"
    sent = {"x_request_id": told, "traceparent": parent}
    assert admin.call("GET", path, **sent).status == 200
    span = collector.wait(lambda span: span.attributes.get("rpc.request.metadata.x-request-id") == [told])
    assert (span.parent, len(span.trace_id)) == ("", 32)
    assert span.trace_id != "0" * 32


def test_what_its_caller_does_not_sample_is_not_told_but_in_the_log(
    collector: Collector, application: Repository
) -> None:
    application.record()
    quiet, loud = Trace("00"), Trace()
    told = f"{application.name}-quiet"
    get(application, 1, ("traceparent", quiet.parent), ("x-request-id", told))
    get(application, 1, ("traceparent", loud.parent))
    collector.wait(loud.has)
    assert [span for span in collector.spans if quiet.has(span)] == []
    assert logged(application.server, told, "call")["trace_id"] == quiet.id


def test_a_fault_of_the_server_is_one_of_its_span(collector: Collector, application: Repository) -> None:
    trace = Trace()
    with held(application.server.database):
        late = application.builds.CreateBuild.future(
            application.recording(), metadata=(("traceparent", trace.parent),), timeout=0.5
        )
        assert code_of(late.result) == grpc.StatusCode.DEADLINE_EXCEEDED
        span = collector.wait(trace.has)
    assert (span.status, span.attributes["error.type"]) == ("ERROR", "DEADLINE_EXCEEDED")
    assert span.attributes["rpc.response.status_code"] == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("is_within", [True, False], ids=["within a trace", "without one"])
def test_the_steps_of_a_build_belong_to_the_servers_span(
    collector: Collector, application: Repository, is_within: bool
) -> None:
    trace = Trace()
    told = f"{application.name}-promoted"
    sent = (("x-request-id", told), *((("traceparent", trace.parent),) if is_within else ()))
    application.record(status=builds_pb2.BUILD_STATUS_SUCCESS)
    build = application.builds.PromoteBuild(application.promotion(1), metadata=sent)
    span = collector.wait(lambda span: span.attributes.get("rpc.request.metadata.x-request-id") == [told])
    assert (span.trace_id == trace.id, span.parent) == (is_within, trace.span if is_within else "")
    lease = Staged.of(application).runner.accept(build.stages[0].id)
    handed, _, flags = lease.plan.environment["TRACEPARENT"].rpartition("-")
    # Sampled; newer libraries have another flag of the traces that they begin, that the id is random.
    assert (handed, int(flags, 16) & 1) == (f"00-{span.trace_id}-{span.id}", 1)


def test_spans_that_are_switched_off_leave_the_steps_their_callers(
    collector: Collector, tmp_path: Path
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_SDK_DISABLED": "true"}
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        repository = Repository.make(server, "octocat", "app")
        repository.record(status=builds_pb2.BUILD_STATUS_SUCCESS)
        staged = Staged.of(repository)
        trace = Trace()
        for sent in ((("traceparent", trace.parent),), ()):
            build = repository.builds.PromoteBuild(repository.promotion(1), metadata=sent)
            lease = staged.runner.accept(build.stages[0].id)
            assert dict(lease.plan.environment).get("TRACEPARENT") == (trace.parent if sent else None)
            staged.runner.report(lease.stage.id, builds_pb2.BUILD_STATUS_SUCCESS)


@pytest.mark.parametrize("is_alone", [False, True], ids=["in the server", "before the server"])
def test_the_gateway_hands_a_trace_on(
    collector: Collector, application: Repository, is_alone: bool
) -> None:
    application.record()
    with Gateway(application.server.address) as alone:
        daemon = alone if is_alone else application.server
        admin = Caller(daemon.http, application.server.admin_token)
        for number, path in enumerate(("drone", "connect")):
            trace = Trace()
            told = f"{application.name}-{number}"
            sent = {"traceparent": trace.parent, "tracestate": "a=1", "x_request_id": told}
            if path == "drone":
                answer = admin.call("GET", f"/api/repos/{application.slug}/builds/1", **sent)
            else:
                body = f'{{"owner": "octocat", "repo": "{application.name}", "build": 1}}'
                kind = {"content_type": "application/json"}
                answer = admin.post(f"/{SERVICE}/GetBuild", (), body, **kind, **sent)
            assert answer.status == 200
            span = collector.wait(trace.has)
            assert (span.name, span.parent) == (f"{SERVICE}/GetBuild", trace.span)
            assert logged(daemon, told)["trace_id"] == trace.id


def test_a_stream_is_a_span_until_it_ends(collector: Collector, application: Repository) -> None:
    staged = Staged.of(application)
    stage = staged.running().stage.id
    trace = Trace()
    watch = staged.runner.stages.WatchStage(
        pb.WatchStageRequest(stage_id=stage), metadata=(("traceparent", trace.parent),)
    )
    next(watch)
    watch.cancel()
    span = collector.wait(trace.has)
    assert span.name == "shiplift.v1.StageService/WatchStage"
    assert span.attributes["rpc.response.status_code"] == "CANCELLED"
    assert not [line for line in application.server.log if "detach" in line["event"]]


def test_the_last_spans_are_sent_before_the_end(collector: Collector, tmp_path: Path) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "OTEL_SERVICE_NAME": "deploys",
    }
    trace = Trace()
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        request = access_pb2.WhoAmIRequest()
        server.access().WhoAmI(request, metadata=(("traceparent", trace.parent),))
        assert server.stop(signal.SIGTERM) == 0
    (span,) = [span for span in collector.spans if trace.has(span)]
    assert (span.name, span.service) == ("shiplift.v1.AccessService/WhoAmI", "deploys")


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    with Collector() as gone:
        endpoint = gone.endpoint
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **SOON}
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        repository = Repository.make(server, "octocat", "app")
        assert repository.record().number == 1
        with within(5):
            assert server.stop() == 0
    assert server.log[-1]["event"] == "stopped"


def test_nothing_of_it_is_imported_unless_it_is_asked_for(own_server: Shipliftd) -> None:
    trace = Trace()
    sent = (("traceparent", trace.parent), ("x-request-id", "untraced"))
    own_server.access().WhoAmI(access_pb2.WhoAmIRequest(), metadata=sent)
    assert "trace_id" not in logged(own_server, "untraced", "call")
    code = "import shipliftd.command, shipliftd.server, sys; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_server_without_the_libraries_says_so_and_serves(tmp_path: Path) -> None:
    # As where they are not installed: the name is there, and nothing in it.
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": str(tmp_path)}
    assert not_traced(tmp_path, environment) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and libraries are missing:"
        " pip install 'shiplift[otel]' (opentelemetry)"
    )


def test_a_protocol_that_is_not_spoken_is_said_to_be_that(tmp_path: Path) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    assert not_traced(tmp_path, environment) == (
        "OTEL_EXPORTER_OTLP_PROTOCOL 'grpc' is not spoken here: wanted http/protobuf"
    )


def not_traced(tmp_path: Path, environment: dict[str, str]) -> str:
    """Why a server, which serves, makes no traces."""
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        repository = Repository.make(server, "octocat", "app")
        assert repository.record(after=COMMIT).number == 1
    (line,) = [line for line in server.log if line["event"] == "no traces"]
    return line["error"]
