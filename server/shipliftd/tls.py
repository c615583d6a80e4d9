"""The certificate and key of the settings, as what listens needs them."""

import ssl

import grpc

from shipliftd.errors import Precondition
from shipliftd.settings import Tls


def context(tls: Tls) -> ssl.SSLContext | None:
    """For HTTP; None for plaintext. Raises Precondition for files that do not serve."""
    if tls.cert is None:
        return None
    try:
        for file in (tls.cert, tls.key, tls.client_ca):
            if file is not None:
                # OpenSSL does not say which of them it could not read.
                file.open("rb").close()
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The empty passphrase: or OpenSSL asks for one.
        made.load_cert_chain(tls.cert, tls.key, password=str)
        if tls.client_ca:
            made.load_verify_locations(tls.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        raise Precondition(
            f"{tls.cert} and {tls.key}"
            + (f", or {tls.client_ca}," if tls.client_ca else "")
            + f" do not serve for TLS ({error.reason or error}): wanted a certificate chain and its"
            " private key without a passphrase, in PEM"
        ) from error
    except OSError as error:
        raise Precondition(f"{error.filename} cannot be read: {error.strerror}") from error
    return made


def credentials(tls: Tls) -> grpc.ServerCredentials | None:
    """For gRPC; None for plaintext. Raises Precondition for files that do not serve."""
    # gRPC would not say what is wrong with them.
    if context(tls) is None or tls.cert is None or tls.key is None:
        return None
    try:
        pair = (tls.key.read_bytes(), tls.cert.read_bytes())
        ca = tls.client_ca.read_bytes() if tls.client_ca else None
    except OSError as error:
        raise Precondition(f"{error.filename} cannot be read: {error.strerror}") from error
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)
