"""The trace that a call is part of, as W3C Trace Context writes it down."""

import re
from contextvars import ContextVar

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

# The `traceparent` of the span of the call that runs now; '' where the server makes no spans.
SPAN: ContextVar[str] = ContextVar("span", default="")
