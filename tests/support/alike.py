"""Servers of both kinds of store that are called alike, and have to answer the same."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from grpc_status import rpc_status

from tests.support.harness import Daemon, Shipliftd
from tests.support.patience import SECONDS
from tests.support.rpcs import RPCS, caller

# The first token, of which no rpc tells.
ADMIN = 0
# What each server makes at random, and what is made with its secret.
_OF_ITS_OWN = {"secret", "hint", "lease_token", "next_page_token"}
# As JSON has it, and as a plan's environment does.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d{10}")


class InFile(Shipliftd):
    """A server on SQLite, whatever store the tests are given."""

    @property
    def store(self) -> str:
        """What `--database` is given."""
        return str(self.database)

    @property
    def token_file(self) -> Path:
        """Where the first start puts its token."""
        return Path(f"{self.database}.admin-token")

    def look_for_leaks(self) -> None:
        """Looks into the log: the store's own run looks into the file."""
        Daemon.look_for_leaks(self)


class Alike:
    """Real servers that are new, and whose tokens have the same ids."""

    def __init__(self, *servers: Shipliftd) -> None:
        self.channels = [
            grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
            for server in servers
        ]
        # By a token's id what it is on each server.
        self.secrets = {ADMIN: [server.admin_token for server in servers]}
        self.codes: Counter[grpc.StatusCode] = Counter()

    def made(self, rpc: str, request: Message, token: int = ADMIN) -> tuple[grpc.StatusCode, Any]:
        """How a call ends, and what it answers, after this is found to be the same on each."""
        ends = [
            _end(channel, rpc, request, secret)
            for channel, secret in zip(self.channels, self.secrets[token], strict=True)
        ]
        code, answer, told = ends[0]
        for _, _, other in ends[1:]:
            assert other == told, (rpc, request, other, told)
        self.codes[code] += 1
        if rpc == "CreateToken" and answer is not None:
            self.secrets[answer.id] = [each.secret for _, each, _ in ends]
        return code, answer

    def close(self) -> None:
        """Ends the connections."""
        for channel in self.channels:
            channel.close()


def _end(
    channel: grpc.Channel, rpc: str, request: Message, secret: str
) -> tuple[grpc.StatusCode, Any, list[Any]]:
    """The code, the answer, and everything that may be compared."""
    metadata = (("authorization", f"Bearer {secret}"),)
    calling: Any = caller(channel, RPCS[rpc])
    try:
        answer, call = calling.with_call(request, timeout=SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        status: Any = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is the call, too
        return error.code(), None, [error.code(), error.details(), _comparable(status)]
    trailing = sorted(tuple(each) for each in call.trailing_metadata())
    return grpc.StatusCode.OK, answer, [_comparable(answer), trailing]


def _comparable(told: Any) -> Any:  # noqa: ANN401  # a message, or JSON
    """What is told, but for times, and for what a server makes of its own: whether these are there."""
    match told:
        case Message():
            return _comparable(MessageToDict(told, preserving_proto_field_name=True))
        case dict():
            return {key: key in _OF_ITS_OWN or _comparable(value) for key, value in told.items()}
        case list():
            return [_comparable(each) for each in told]
        case str() if _TIME.fullmatch(told):
            return "a time"
    return told
