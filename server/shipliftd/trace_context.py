"""What travels along with a call: its trace, as W3C Trace Context has it, and where it comes from."""

import re
from contextvars import ContextVar

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

# The `traceparent` of the span of the call that runs now; '' where the server makes no spans.
SPAN: ContextVar[str] = ContextVar("span", default="")

# What a gateway says of whom it calls for. The client is believed of anybody, as a User-Agent is; the
# address only of the gateway in the server's own process.
FOR_ADDRESS, FOR_CLIENT = "x-shiplift-address", "x-shiplift-client"
