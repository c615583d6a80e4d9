"""The first start on an empty store: its site admin and their token."""

import logging
import os
import sys
from pathlib import Path

from shiplift.v1 import access_pb2 as pb

from shipliftd import access
from shipliftd.guard import Caller
from shipliftd.models import User
from shipliftd.store import Store

log = logging.getLogger(__name__)

ADMIN = "admin"


def by_operator(method: str) -> Caller:
    """The caller in whose name the operator of the store itself acts: they hold the file anyway."""
    return Caller(method, login="shipliftd", site_admin=True, level=pb.LEVEL_ADMIN)


async def first_start(store: Store) -> None:
    """Makes the site admin `admin` and a token where there is no user yet.

    The token is shown on a terminal; elsewhere it is written to a 0600 file whose path is logged.
    """
    made = await store.write(_admin)
    if made is None:
        return
    if sys.stderr.isatty():
        sys.stderr.write(f"\nFirst start: token of the site admin `admin`, shown once:\n\n    {made}\n\n")
        return
    path = store.path.with_name(f"{store.path.name}.admin-token")
    _write_private(path, made)
    log.info("first start", extra={"login": ADMIN, "token_file": str(path)})


def _admin() -> str | None:
    if User.select().exists():
        return None
    request = pb.CreateUserRequest(login=ADMIN, admin=True)
    access.create_user(by_operator("CreateUser"), request)
    token = pb.CreateTokenRequest(login=ADMIN, name="first start")
    return access.create_token(by_operator("CreateToken"), token).resource.secret


def _write_private(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
