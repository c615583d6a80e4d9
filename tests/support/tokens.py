"""Tokens of a server: made, listed, and how long they hold."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb

from tests.support.harness import Shipliftd


def future(**ahead: int) -> Timestamp:
    """A time to come, in whole milliseconds."""
    at = Timestamp()
    at.FromDatetime((datetime.now(UTC) + timedelta(**ahead)).replace(microsecond=5000))
    return at


def make(server: Shipliftd, by: str | None = None, **fields: object) -> pb.Token:
    """CreateToken by the holder of a token; the admin's when unset."""
    return server.access(by).CreateToken(pb.CreateTokenRequest(**fields))  # type: ignore[arg-type]


def listed(server: Shipliftd, by: str | None = None, **fields: object) -> list[pb.Token]:
    answer = server.access(by).ListTokens(pb.ListTokensRequest(**fields))  # type: ignore[arg-type]
    return list(answer.tokens)
