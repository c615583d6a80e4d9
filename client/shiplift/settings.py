"""The settings that the `shiplift` command and `Client.from_env` share, and the file of logins."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shiplift._channel import DEFAULT_SERVER, Route


@dataclass(frozen=True)
class Settings:
    """Which server, who calls, and how the server is reached."""

    server: str
    token: str | Callable[[], str] | None = field(repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure: bool = False

    @classmethod
    def find(
        cls,
        *,
        server: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        insecure: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> "Settings":
        """The arguments, else the variables `SHIPLIFT_*`, else what `shiplift login` left.

        Raises:
            ValueError: The file of logins is none, or a token is given in two ways.
            OSError: It cannot be read.
        """
        if token and token_file:
            raise ValueError("--token and --token-file are both given: leave one out")
        logins = Logins.read()
        server = server or environment.get("SHIPLIFT_SERVER") or logins.server or DEFAULT_SERVER
        login = logins.logins.get(Route(server).target, Login())
        way = (
            ca_file or environment.get("SHIPLIFT_CA") or None,
            cert_file or environment.get("SHIPLIFT_CERT") or None,
            key_file or environment.get("SHIPLIFT_KEY") or None,
            insecure or environment.get("SHIPLIFT_INSECURE", "").lower() in ("1", "true", "yes"),
        )
        if not any(way):
            way = (login.ca_file, login.cert_file, login.key_file, login.insecure)
        found = _token(token, token_file, environment) or login.token
        return cls(server, found, *way)


def _token(
    token: str | None, token_file: str | None, environment: Mapping[str, str]
) -> str | Callable[[], str] | None:
    if token or token_file:
        return token or TokenFile(str(token_file))
    if environment.get("SHIPLIFT_TOKEN"):
        return environment["SHIPLIFT_TOKEN"]
    if environment.get("SHIPLIFT_TOKEN_FILE"):
        return TokenFile(environment["SHIPLIFT_TOKEN_FILE"])
    return None


@dataclass(frozen=True)
class TokenFile:
    """A token in a file, read for each call: whoever renews it need not tell anyone."""

    path: str

    def __call__(self) -> str:
        """The token. Raises OSError, and ValueError when the file is empty."""
        token = Path(self.path).read_text().strip()
        if not token:
            raise ValueError(f"the token file {self.path} is empty")
        return token


@dataclass(frozen=True)
class Login:
    """What `shiplift login` keeps for a server."""

    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure: bool = False


@dataclass
class Logins:
    """The file of logins: by server, and the server that was logged into last."""

    server: str | None = None
    logins: dict[str, Login] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """Where the file is, in the user's configuration directory."""
        # Only who has no other setting pays for the import.
        from platformdirs import user_config_path

        return user_config_path("shiplift") / "login.json"

    @classmethod
    def read(cls) -> "Logins":
        """The file; empty when there is none. Raises ValueError when it is something else."""
        try:
            text = cls.path().read_text()
        except OSError:
            # A CI job often has no home that it may look into.
            return cls()
        try:
            kept = json.loads(text)
            logins = {target: Login(**login) for target, login in kept["logins"].items()}
            return cls(kept["server"], logins)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(
                f"{cls.path()} is not what `shiplift login` writes: remove it and log in again"
            ) from None

    def add(self, server: str, login: Login) -> None:
        """Keeps a login and makes its server the default."""
        self.server = server
        self.logins[Route(server).target] = login

    def write(self) -> Path:
        """Writes the file, readable by its owner alone: all of it or nothing. Raises OSError."""
        path = self.path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it 0600.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".login-")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(asdict(self), file, indent=2)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path
