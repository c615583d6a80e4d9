"""How a server is reached: addresses, TLS and mutual TLS."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from shiplift import AsyncClient, Client, Unavailable
from shiplift._channel import Route

from tests.support.harness import Shipliftd
from tests.support.patience import within


@pytest.mark.parametrize(
    ("server", "target", "local"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", True),
        ("127.8.9.1", "127.8.9.1:50051", True),
        ("localhost:1234", "localhost:1234", True),
        ("[::1]:50051", "[::1]:50051", True),
        ("unix:/run/shiplift.sock", "unix:/run/shiplift.sock", True),
        ("shiplift.example.com", "shiplift.example.com:50051", False),
        ("10.0.0.7:50051", "10.0.0.7:50051", False),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", False),
        ("localhost.example.com", "localhost.example.com:50051", False),
    ],
)
def test_a_server_is_reached_in_plaintext_on_this_machine_alone(
    server: str, target: str, local: bool
) -> None:
    route = Route(server)
    assert (route.target, route.is_local) == (target, local)
    assert (route.credentials() is None) is local
    assert Route(server, insecure=True).credentials() is None


@pytest.mark.parametrize("server", ["", "https://host:1", "host:port", "a b", "host/path", "::1"])
def test_what_is_no_address_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match="wanted host, host:port or unix:PATH"):
        Client(server)


def test_certificates_and_plaintext_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="insecure means plaintext"):
        Client("host", ca_file="ca.pem", insecure=True)
    with pytest.raises(ValueError, match="given together"):
        Client("host", cert_file="cert.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_tls_and_mutual_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    other, other_key = certificate(tmp_path, "other")
    options = ("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", other)
    with Shipliftd(tmp_path / "db", options) as server:
        port = server.address.rpartition(":")[2]
        address = f"localhost:{port}"
        with Client(
            address, server.admin_token, ca_file=cert, cert_file=other, key_file=other_key
        ) as client:
            assert client.who_am_i().user.login == "admin"
        with Client(address, ca_file=cert) as unknown, pytest.raises(Unavailable):
            unknown.who_am_i(timeout=0.5)
        with (
            Client(address, ca_file=other, cert_file=other, key_file=other_key) as elsewhere,
            pytest.raises(Unavailable),
        ):
            elsewhere.who_am_i(timeout=0.5)
        with Client(address) as plaintext, pytest.raises(Unavailable):
            plaintext.who_am_i(timeout=0.5)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_who_disagrees_about_tls_is_told_so(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    other, _ = certificate(tmp_path, "other")

    def told(address: str, **options: Any) -> list[str]:  # noqa: ANN401
        with Client(address, **options) as client, within(20), pytest.raises(Unavailable) as failed:
            client.who_am_i()

        async def run() -> str:
            async with AsyncClient(address, **options) as client:
                with pytest.raises(Unavailable) as failed:
                    await client.who_am_i()
                return failed.value.message

        return [failed.value.message, asyncio.run(run())]

    with Shipliftd(tmp_path / "plain") as server:
        address = f"localhost:{server.address.rpartition(':')[2]}"
        plain = (
            f"{address} speaks plaintext, and this client TLS: leave out the certificates, and say"
            " insecure (or SHIPLIFT_INSECURE=1) if that is meant, or start the server with --tls-cert"
        )
        assert told(address, ca_file=cert) == [plain, plain]
    for more in ((), ("--tls-client-ca", other)):
        with Shipliftd(tmp_path / "tls", ("--tls-cert", cert, "--tls-key", key, *more)) as server:
            address = f"localhost:{server.address.rpartition(':')[2]}"
            tls = (
                f"{address} speaks TLS, and this client plaintext: say whom to trust (ca_file or"
                " SHIPLIFT_CA), and leave out insecure"
            )
            assert told(address) == [tls, tls]
    # Nobody there, or somebody whom the client does not trust, is another matter.
    (message, _) = told(address, ca_file=cert)
    assert message.startswith("failed to connect")


def certificate(directory: Path, name: str) -> tuple[str, str]:
    """A certificate for a host that signed itself, and its key."""
    cert, key = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return cert, key
