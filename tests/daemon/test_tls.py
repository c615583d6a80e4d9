"""TLS, and certificates of clients."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from shiplift.v1 import access_pb2, access_pb2_grpc

from tests.support.commands import refusal
from tests.support.gateway import Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import SECONDS


class Files:
    """Certificates on disk: the server's, a client's, and those of a CA that nobody here trusts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca, self.clients, self.strangers = trustme.CA(), trustme.CA(), trustme.CA()
        self.server = self.ca.issue_cert("127.0.0.1", "localhost")
        self.cert = self.write("server.pem", *self.server.cert_chain_pems)
        self.key = self.write("server.key", self.server.private_key_pem)
        self.client_ca = self.write("clients.pem", self.clients.cert_pem)

    def write(self, name: str, *blobs: trustme.Blob) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return path

    def options(self, *more: str | Path) -> tuple[str, ...]:
        return tuple(map(str, ("--tls-cert", self.cert, "--tls-key", self.key, *more)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Shipliftd]:
    """A server with TLS, for any client."""
    options = files.options("--http", "127.0.0.1:0")
    with Shipliftd(tmp_path_factory.mktemp("tls") / "shiplift.db", options) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Shipliftd]:
    """A server with TLS, for clients with a certificate of the right CA."""
    options = files.options("--tls-client-ca", files.client_ca, "--http", "127.0.0.1:0")
    with Shipliftd(tmp_path_factory.mktemp("mutual") / "shiplift.db", options) as running:
        yield running


def whoami(server: Shipliftd, credentials: grpc.ChannelCredentials | None) -> str:
    """The login that the server sees over a connection with these credentials; raises grpc.RpcError."""
    if credentials is None:
        channel = grpc.insecure_channel(server.address)
    else:
        channel = grpc.secure_channel(server.address, credentials)
    with channel:
        answer = access_pb2_grpc.AccessServiceStub(channel).WhoAmI(
            access_pb2.WhoAmIRequest(),
            metadata=(("authorization", f"Bearer {server.admin_token}"),),
            timeout=SECONDS,
        )
    return answer.user.login


def trusting(ca: trustme.CA, client: trustme.LeafCert | None = None) -> grpc.ChannelCredentials:
    """What a client needs that trusts the CA and shows, if any, the certificate."""
    if client is None:
        return grpc.ssl_channel_credentials(ca.cert_pem.bytes())
    chain = b"".join(blob.bytes() for blob in client.cert_chain_pems)
    return grpc.ssl_channel_credentials(ca.cert_pem.bytes(), client.private_key_pem.bytes(), chain)


def test_a_client_that_trusts_the_ca_is_served(server: Shipliftd, files: Files) -> None:
    assert whoami(server, trusting(files.ca)) == "admin"


@pytest.mark.parametrize("who", ["in the clear", "trusts another CA"])
def test_a_client_without_trust_gets_no_connection(server: Shipliftd, files: Files, who: str) -> None:
    credentials = None if who == "in the clear" else trusting(files.strangers)
    with pytest.raises(grpc.RpcError) as error:
        whoami(server, credentials)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_http2_is_negotiated(server: Shipliftd, files: Files) -> None:
    # Clients refuse a server that does not; those of Go since 1.67.
    context = ssl.create_default_context(cadata=files.ca.cert_pem.bytes().decode())
    context.set_alpn_protocols(["h2"])
    host, port = server.address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"
        assert secure.version() == "TLSv1.3"


def test_a_client_with_a_certificate_of_the_right_ca_is_served(mutual: Shipliftd, files: Files) -> None:
    client = files.clients.issue_cert("jenkins.example.com")
    assert whoami(mutual, trusting(files.ca, client)) == "admin"


@pytest.mark.parametrize("who", ["no certificate", "a certificate of another CA", "one of the server's CA"])
def test_a_client_without_the_right_certificate_gets_no_connection(
    mutual: Shipliftd, files: Files, who: str
) -> None:
    client = {
        "no certificate": None,
        "a certificate of another CA": files.strangers.issue_cert("jenkins.example.com"),
        "one of the server's CA": files.ca.issue_cert("jenkins.example.com"),
    }[who]
    with pytest.raises(grpc.RpcError) as error:
        whoami(mutual, trusting(files.ca, client))
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_tls_allows_an_address_that_others_reach(files: Files, tmp_path: Path) -> None:
    # The loopback in a form that is not known to be it: nobody else is to reach a test.
    listen = "[::ffff:127.0.0.1]:0"
    with Shipliftd(tmp_path / "shiplift.db", files.options(), listen=listen) as server:
        server.listening["address"] = server.address.replace("[::ffff:127.0.0.1]", "127.0.0.1")
        assert whoami(server, trusting(files.ca)) == "admin"


# The gateway, over the same certificates.


def context(files: Files, ca: trustme.CA, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """What an HTTP client needs that trusts the CA and shows, if any, the certificate."""
    made = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    if client is not None:
        pem = files.write("client.pem", client.private_key_and_cert_chain_pem)
        made.load_cert_chain(pem)
    return made


def test_http_is_served_over_tls(server: Shipliftd, files: Files) -> None:
    caller = Caller(server.http, server.admin_token, context(files, files.ca))
    assert caller.get("/api/user").json["login"] == "admin"
    # Over TLS as in the clear an answer is not overtaken by the end of the connection.
    answer = caller.post("/api/user/repos", (), b"x" * 3_000_000)
    assert answer.told == (413, "the request's body has over 1048576 bytes")


def test_http_without_trust_gets_no_answer(server: Shipliftd, files: Files) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Caller(server.http, tls=context(files, files.strangers)).get("/healthz")
    with pytest.raises(ConnectionError):
        Caller(server.http).get("/healthz")


def test_http_asks_for_a_clients_certificate_where_grpc_does(mutual: Shipliftd, files: Files) -> None:
    right = context(files, files.ca, files.clients.issue_cert("jenkins.example.com"))
    assert Caller(mutual.http, mutual.admin_token, right).get("/api/user").json["login"] == "admin"
    for client in (None, files.strangers.issue_cert("a.example"), files.ca.issue_cert("b.example")):
        # With TLS 1.3 the client learns of it from what it reads.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Caller(mutual.http, mutual.admin_token, context(files, files.ca, client)).get("/healthz")


def test_a_gateway_trusts_a_server_by_the_ca_that_it_is_given(server: Shipliftd, files: Files) -> None:
    ca = files.write("ca.pem", files.ca.cert_pem)
    with Gateway(server.address, ("--upstream-ca", str(ca))) as gateway:
        caller = Caller(gateway.http, server.admin_token)
        assert caller.get("/readyz").status == 200
        assert caller.get("/api/user").json["login"] == "admin"
    other = files.write("other-ca.pem", files.strangers.cert_pem)
    with Gateway(server.address, ("--upstream-ca", str(other))) as gateway:
        assert Caller(gateway.http).get("/readyz").status == 503


def test_a_gateways_ca_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    options = ("--upstream", "127.0.0.1:1", "--http", "127.0.0.1:0", "--upstream-ca", missing)
    assert refusal("gateway", *options) == f"{missing} cannot be read: No such file or directory"


# Files that do not do.


def serving(tmp_path: Path, *options: str | Path) -> tuple[str | Path, ...]:
    return ("serve", "--database", tmp_path / "shiplift.db", "--listen", "127.0.0.1:0", *options)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path, files: Files) -> None:
    together = "--tls-cert and --tls-key go together: give both or none"
    assert refusal(*serving(tmp_path, "--tls-cert", files.cert)) == together
    assert refusal(*serving(tmp_path, "--tls-key", files.key)) == together
    assert refusal(*serving(tmp_path, "--tls-client-ca", files.client_ca)) == (
        "--tls-client-ca needs --tls-cert and --tls-key"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path, files: Files) -> None:
    missing = tmp_path / "missing.pem"
    assert refusal(*serving(tmp_path, "--tls-cert", missing, "--tls-key", files.key)) == (
        f"{missing} cannot be read: No such file or directory"
    )


@pytest.mark.parametrize("fault", ["another key", "no key", "no certificate", "no CA", "a passphrase"])
def test_files_that_do_not_serve_for_tls_are_named(tmp_path: Path, files: Files, fault: str) -> None:
    cert, key, ca = files.cert, files.key, files.client_ca
    text = tmp_path / "notes.txt"
    text.write_text("Buy milk.\n")
    if fault == "another key":
        key = files.write("other.key", files.ca.issue_cert("127.0.0.1").private_key_pem)
    elif fault == "no key":
        key = text
    elif fault == "no certificate":
        cert = text
    elif fault == "no CA":
        ca = text
    else:
        key = encrypted(files.server.private_key_pem.bytes(), tmp_path / "encrypted.key")
    options = ("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca)
    told = refusal(*serving(tmp_path, *options))
    assert told.startswith(f"{cert} and {key}, or {ca}, do not serve for TLS (")
    assert told.endswith("): wanted a certificate chain and its private key without a passphrase, in PEM")
    assert not (tmp_path / "shiplift.db").exists()


def encrypted(key: bytes, path: Path) -> Path:
    """The key, with a passphrase."""
    path.write_bytes(
        serialization.load_pem_private_key(key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    return path
