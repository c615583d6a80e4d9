"""The first start on an empty store: its site admin and their token."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from shiplift.v1 import access_pb2 as pb

from shipliftd.access import tokens
from shipliftd.access.callers import Caller
from shipliftd.access.users import create_user
from shipliftd.store import Store
from shipliftd.store.backups import sync
from shipliftd.store.models import User
from shipliftd.store.transaction import Reader, Transaction

log = logging.getLogger(__name__)

ADMIN = "admin"


def by_operator(method: str) -> Caller:
    """The caller in whose name the operator of the store itself acts: they hold the file anyway."""
    return Caller(method, login="shipliftd", site_admin=True, level=pb.ACCESS_LEVEL_ADMIN)


async def first_start(store: Store) -> None:
    """Makes the site admin `admin` and a token where there is no site admin yet.

    The token is shown on a terminal; elsewhere it is written to a 0600 file whose path is logged.
    """
    if await store.read(_has, User.admin):
        return
    if await store.read(_has, User.login == ADMIN):
        told = f"there is no site admin, and user {ADMIN} is none: `shipliftd user add --admin` makes one"
        log.warning("no site admin", extra={"error": told})
        return
    if sys.stderr.isatty():
        await store.write(_admin, _show)
        return
    path = store.token_file
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        await store.write(_admin, partial(_write_private, path))
    except Exception:
        with suppress(OSError):
            path.unlink()
        raise
    log.info("first start", extra={"login": ADMIN, "token_file": str(path)})


def _has(reader: Reader, condition: object) -> bool:
    return reader.get(User, condition) is not None


def _admin(tx: Transaction, tell: Callable[[str], None]) -> None:
    request = pb.CreateUserRequest(login=ADMIN, admin=True)
    create_user(tx, by_operator("CreateUser"), request)
    token = pb.CreateTokenRequest(login=ADMIN, name="first start")
    secret = tokens.create_token(tx, by_operator("CreateToken"), token).resource.secret
    # Before the commit: an admin whose token nobody has would stand in the way of another first start.
    tell(secret)


def _show(secret: str) -> None:
    sys.stderr.write(
        f"\nFirst start: token of the site admin `admin`, shown once:\n\n    {secret}\n\n"
        "`shiplift login` asks for it.\n\n"
    )


def _write_private(path: Path, secret: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync(path.parent)
    finally:
        new.unlink(missing_ok=True)
