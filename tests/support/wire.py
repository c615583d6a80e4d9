"""A call spelled out in HTTP/2 frames, for what no gRPC client would send."""

import re
import socket
import struct

from tests.support.patience import SECONDS

_HEADERS, _DATA, _RST_STREAM, _SETTINGS, _GOAWAY = 1, 0, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4
_STATUS = re.compile(rb"grpc-status[\x01\x02](\d+)")


def status_of(address: str, path: str, authorization: bytes, body: bytes = b"\0\0\0\0\0") -> int:
    """The number of the gRPC status that the call ends with."""
    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path.encode(),
        b":authority": b"localhost",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
        b"authorization": authorization,
    }
    # HPACK: literals without indexing, not compressed.
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, block)
            + _frame(_DATA, _END_STREAM, 1, body)
        )
        return _status(connection)


def _text(value: bytes) -> bytes:
    assert len(value) < 127
    return bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _status(connection: socket.socket) -> int:
    with connection.makefile("rb") as stream:
        while len(head := stream.read(9)) == 9:
            payload = stream.read(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == _HEADERS and flags & _END_STREAM:
                found = _STATUS.search(payload)
                assert found is not None
                return int(found[1])
            assert kind not in (_RST_STREAM, _GOAWAY), payload
    raise AssertionError("the connection ended without a status")
