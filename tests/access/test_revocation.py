"""Access that is taken away is gone with the answer, although the server remembers whom it let through."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from shiplift.v1 import access_pb2 as pb
from shipliftd.store import SqliteStore

from tests.support import patience
from tests.support.beside import opened
from tests.support.commands import said
from tests.support.inside import inside
from tests.support.patience import SECONDS
from tests.support.refusals import code_of, told
from tests.support.repository import Repository

ROUNDS = 20


def until(code: grpc.StatusCode, call: Callable[[], object]) -> None:
    """Repeats a call until it ends with this code."""
    patience.until(lambda: code_of(call) == code)


def test_a_grant_counts_at_once_and_so_does_its_end(repository: Repository) -> None:
    login = f"mona-{repository.name}"
    mona = repository.of(login)
    access = repository.server.access()
    repository.record()
    where = {"owner": repository.owner, "repo": repository.name, "login": login}
    codes = []
    for _ in range(ROUNDS):
        access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_WRITE))
        codes += [code_of(mona.get, 1), code_of(mona.promote, 1), code_of(mona.get, 1)]
        access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_READ))
        codes += [code_of(mona.get, 1), code_of(mona.promote, 1)]
        access.RevokeAccess(pb.RevokeAccessRequest(**where))
        codes += [code_of(mona.get, 1), code_of(mona.promote, 1)]
    ok, denied, hidden = (
        grpc.StatusCode.OK,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
    )
    assert codes == [ok, ok, ok, ok, denied, hidden, hidden] * ROUNDS


def test_a_higher_level_counts_at_once(repository: Repository) -> None:
    login = f"mona-{repository.name}"
    mona = repository.of(login, pb.ACCESS_LEVEL_WRITE)
    mona.record()
    repository.server.access().GrantAccess(
        pb.GrantAccessRequest(
            owner=repository.owner, repo=repository.name, login=login, level=pb.ACCESS_LEVEL_ADMIN
        )
    )
    assert mona.record(number=41).number == 41


def test_a_revoked_token_is_refused_at_once(repository: Repository) -> None:
    mona = repository.of(f"mona-{repository.name}", pb.ACCESS_LEVEL_WRITE)
    repository.record()
    access = repository.server.access(mona.token)
    for _ in range(ROUNDS):
        made = access.CreateToken(pb.CreateTokenRequest())
        holder = repository.seen_by(made.secret)
        assert holder.get(1) == holder.get(1)
        access.RevokeToken(pb.RevokeTokenRequest(id=made.id))
        assert code_of(holder.get, 1) == grpc.StatusCode.UNAUTHENTICATED


def test_what_an_operator_takes_away_beside_the_server_is_gone_soon(repository: Repository) -> None:
    login = f"mona-{repository.name}"
    mona = repository.of(login, pb.ACCESS_LEVEL_WRITE)
    repository.record()
    assert mona.promote(1).number == 2
    database = repository.server.database
    said("grant", "add", login, "read", "-R", repository.slug, "--database", repository.server.store)
    until(grpc.StatusCode.PERMISSION_DENIED, lambda: mona.promote(1))
    with opened(database) as other:
        other.execute(
            "UPDATE tokens SET revoked = 1 WHERE user_id = (SELECT id FROM users WHERE login = ?)", [login]
        )
    until(grpc.StatusCode.UNAUTHENTICATED, lambda: mona.get(1))


@pytest.mark.sqlite
def test_a_token_is_revoked_also_when_the_caller_does_not_wait_for_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with inside(tmp_path / "shiplift.db") as server:
            mona, token_id = await server.token("mona")
            await server.call("CreateRepository", pb.CreateRepositoryRequest(owner="octocat", repo="app"))
            await server.call(
                "GrantAccess",
                pb.GrantAccessRequest(
                    owner="octocat", repo="app", login="mona", level=pb.ACCESS_LEVEL_READ
                ),
            )
            read = pb.GetRepositoryRequest(owner="octocat", repo="app")
            await server.call("GetRepository", read, mona)

            # The caller leaves while the commit is under way.
            loop = asyncio.get_running_loop()
            committing, left = asyncio.Event(), asyncio.Event()

            def trace(sql: str) -> None:
                if sql.upper().startswith("COMMIT") and not committing.is_set():
                    loop.call_soon_threadsafe(committing.set)
                    asyncio.run_coroutine_threadsafe(left.wait(), loop).result(SECONDS)

            assert isinstance(server.store, SqliteStore)
            server.store.writer.connection().set_trace_callback(trace)
            revoke = asyncio.ensure_future(server.call("RevokeToken", pb.RevokeTokenRequest(id=token_id)))
            await asyncio.wait_for(committing.wait(), SECONDS)
            revoke.cancel()
            await asyncio.wait({revoke})
            # The server has heard of it once it answers the next call.
            await server.call("GetRepository", read, mona)
            left.set()
            await server.store.drain()
            with opened(server.path) as other:
                (revoked,) = other.execute(f"SELECT revoked FROM tokens WHERE id = {token_id}").fetchone()
            assert revoked > 0
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await server.call("GetRepository", read, mona)
            assert told(refused.value).reason == "REVOKED_TOKEN"

    asyncio.run(scene())
