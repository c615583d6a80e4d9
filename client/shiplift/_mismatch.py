"""Whether client and server disagree about the protocol.

gRPC says of both no more than that it could not connect, in words of OpenSSL, or of another address of the
same host. So the server is asked once more, by hand.
"""

import socket
import ssl
from typing import Literal

import grpc

from shiplift._channel import Route

# It is looked at after a connection has failed, beside the deadline of the call.
_SECONDS = 2.0
# What OpenSSL calls an answer that is no TLS at all.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE", "HTTP_REQUEST"})
# As gRPC's core says it of an answer that begins like one of HTTP/1.1.
_HTTP_1 = "http1.x server"
# Of one address, and of several.
_FAILED_TO_CONNECT = ("failed to connect to all addresses", "connections to all backends failing")


def mismatch(route: Route, error: grpc.RpcError) -> str:
    """In a sentence how client and server disagree, where that is why no connection came about; else empty.

    May take two seconds for each of its addresses.
    """
    told = error.details() or ""
    if error.code() is not grpc.StatusCode.UNAVAILABLE or not any(
        word in told for word in _FAILED_TO_CONNECT
    ):
        return ""
    if _HTTP_1 in told:
        return (
            f"{route.server} speaks HTTP/1.1, and no gRPC: it may be the server's JSON gateway, and gRPC"
            " has an address of its own (port 50051, unless it was told otherwise)"
        )
    spoken = {_spoken(each) for each in route.addresses}
    if ("tls" if route.has_tls else "plaintext") in spoken:
        # One of them agrees with the client, and may be back soon.
        return ""
    if "tls" in spoken:
        return (
            f"{route.server} speaks TLS, and this client plaintext: say whom to trust (ca_file or"
            " SHIPLIFT_CA), and leave out insecure"
        )
    if "plaintext" in spoken:
        return (
            f"{route.server} speaks plaintext, and this client TLS: leave out the certificates, and say"
            " insecure (or SHIPLIFT_INSECURE=1) if that is meant, or start the server with --tls-cert"
        )
    return ""


def _spoken(address: str) -> Literal["tls", "plaintext", ""]:
    """What the server at an address answers to the beginning of TLS; empty where it does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is said to it, so it may be anybody.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connected(address) as plain, context.wrap_socket(plain):
            return "tls"
    except ssl.SSLEOFError:
        return ""
    except ssl.SSLError as error:
        return "plaintext" if error.reason in _NO_TLS else "tls"
    except OSError:
        return ""


def listens(address: str) -> bool:
    """Whether somebody takes connections there. May take two seconds."""
    try:
        _connected(address).close()
    except OSError:
        return False
    return True


def _connected(address: str) -> socket.socket:
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(_SECONDS)
        made.connect(address.removeprefix("unix:"))
        return made
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS)
