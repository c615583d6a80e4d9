"""Traces: a span for each call, told to an OpenTelemetry collector over OTLP.

Only a server in whose environment OTEL_EXPORTER_OTLP_ENDPOINT is set imports it. What the other OTEL_*
variables say, of headers, sampling or the service's name, is the library's to read.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shipliftd import __version__
from shipliftd.descriptors import SERVICES, path_of
from shipliftd.trace_context import SPAN

# Of codes that are the server's fault, as OpenTelemetry's conventions for gRPC have it.
_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
_CARRIED = frozenset({"traceparent", "tracestate"})
# For the last spans; a collector that is away must not hold up the end.
_LAST_SECONDS = 3.0
_PROPAGATOR = TraceContextTextMapPropagator()

End = Callable[[str], None]


class Traces:
    """Makes spans, and has a thread of its own send them."""

    def __init__(self) -> None:
        ours = Resource.create({"service.name": "shipliftd", "service.version": __version__})
        # What the operator says counts more.
        resource = ours.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("shipliftd", __version__)
        self._methods = {method.name: method for service in SERVICES for method in service.methods}
        for handler in logging.getLogger().handlers:
            handler.addFilter(_named)

    def calls(self, method: str, _is_waiting: bool) -> Callable[[Any], End]:
        """What is called with each call of an rpc as it begins; what that returns, with its code."""
        is_stream = self._methods[method].server_streaming
        path = path_of(self._methods[method]).removeprefix("/")
        named = {"rpc.system.name": "grpc", "rpc.method": path}

        def begin(context: Any) -> End:  # noqa: ANN401  # of a call
            carried: dict[str, str] = {}
            attributes: dict[str, Any] = dict(named)
            for key, value in context.invocation_metadata() or ():
                if key in _CARRIED and isinstance(value, str):
                    carried[key] = value
                elif key == "x-request-id" and isinstance(value, str) and value:
                    attributes["rpc.request.metadata.x-request-id"] = [value[:128]]
            span = self._tracer.start_span(
                path,
                _PROPAGATOR.extract(carried, contexts.Context()),
                kind=trace.SpanKind.SERVER,
                attributes=attributes,
            )
            within = trace.set_span_in_context(span)
            token = contexts.attach(within)
            handed: dict[str, str] = {}
            _PROPAGATOR.inject(handed, within)
            # With OTEL_SDK_DISABLED there are no spans.
            SPAN.set(handed.get("traceparent", ""))

            def end(code: str) -> None:
                if not is_stream:
                    # A stream has its context to itself, and may be closed in another one.
                    contexts.detach(token)
                # Neither a message nor an exception: they may hold what is nobody else's to read.
                span.set_attribute("rpc.response.status_code", code)
                if code in _FAULTS:
                    span.set_attribute("error.type", code)
                    span.set_status(trace.StatusCode.ERROR)
                span.end()

            return end

        return begin

    async def end(self) -> None:
        """Sends the last spans, if that does not take long."""
        sending = asyncio.get_running_loop().run_in_executor(None, self._provider.shutdown)
        await asyncio.wait([sending], timeout=_LAST_SECONDS)


def _named(record: logging.LogRecord) -> bool:
    """Gives a line that is logged within a call the id of its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid and not hasattr(record, "trace_id"):
        record.trace_id = trace.format_trace_id(context.trace_id)
    return True
