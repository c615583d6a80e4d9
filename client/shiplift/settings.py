"""The settings that the `shiplift` command and `Client.from_env` share, and the file of contexts."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
    server_name: str | None = None

    @classmethod
    def find(
        cls,
        *,
        context: str | None = None,
        server: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        insecure: bool = False,
        server_name: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> "Settings":
        """The arguments, else the variables `SHIPLIFT_*`, else the context that `shiplift login` left.

        Raises:
            ValueError: The file of contexts is none, there is no such context, or a token is given twice.
            OSError: It cannot be read.
        """
        if token and token_file:
            raise ValueError("--token and --token-file are both given: leave one out")
        contexts = Contexts.read()
        name = context or ("" if server else environment.get("SHIPLIFT_CONTEXT"))
        if context and server:
            raise ValueError("--context and --server are both given: leave one out")
        if name:
            known: Context | None = contexts.get(name)
        else:
            server = server or environment.get("SHIPLIFT_SERVER")
            current = contexts.contexts.get(contexts.current)
            known = contexts.of_server(server) if server else current
        login = known or Context(server or DEFAULT_SERVER)
        server = server or login.server
        way = (
            ca_file or environment.get("SHIPLIFT_CA") or None,
            cert_file or environment.get("SHIPLIFT_CERT") or None,
            key_file or environment.get("SHIPLIFT_KEY") or None,
            insecure or environment.get("SHIPLIFT_INSECURE", "").lower() in ("1", "true", "yes"),
            server_name or environment.get("SHIPLIFT_SERVER_NAME") or None,
        )
        if not any(way):
            way = (login.ca_file, login.cert_file, login.key_file, login.insecure, login.server_name)
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
class Context:
    """What `shiplift login` keeps: a server, and who calls it how."""

    server: str
    user: str = ""
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure: bool = False
    server_name: str | None = None


@dataclass
class Contexts:
    """The file of contexts by name, and which of them is the current one; empty: none is."""

    current: str = ""
    contexts: dict[str, Context] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """Where the file is, in the user's configuration directory."""
        # Only who has no other setting pays for the import.
        from platformdirs import user_config_path

        return user_config_path("shiplift") / "login.json"

    @classmethod
    def read(cls) -> "Contexts":
        """The file; empty when there is none. Raises ValueError when it is something else."""
        try:
            text = cls.path().read_text()
        except OSError:
            # A CI job often has no home that it may look into.
            return cls()
        try:
            kept = json.loads(text)
            if "logins" in kept:
                return cls._of_servers(kept)
            contexts = {name: Context(**context) for name, context in kept["contexts"].items()}
            return cls(kept["current"], contexts)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(
                f"{cls.path()} is not what `shiplift login` writes: remove it and log in again"
            ) from None

    @classmethod
    def _of_servers(cls, kept: dict[str, Any]) -> "Contexts":
        """The form of 0.1, which had a login for each server, without a name."""
        contexts = {target: Context(server=target, **login) for target, login in kept["logins"].items()}
        last = Route(kept["server"]).name if kept["server"] else ""
        return cls(last if last in contexts else "", contexts)

    def get(self, name: str) -> Context:
        """A context. Raises ValueError when there is none of this name."""
        if name not in self.contexts:
            there = ", ".join(sorted(self.contexts)) or "none"
            raise ValueError(f"context {name!r} is not known: there is {there} (shiplift login makes one)")
        return self.contexts[name]

    def of_server(self, server: str) -> Context | None:
        """The context for a server: the current one if it is that, else the first by name."""
        wanted = Route(server).name
        names = sorted(self.contexts, key=lambda name: (name != self.current, name))
        return next(
            (self.contexts[name] for name in names if Route(self.contexts[name].server).name == wanted),
            None,
        )

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
