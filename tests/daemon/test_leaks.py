"""Tokens and parameter values, on every way in: none gets out into a log, an error or an audit row."""

from pathlib import Path

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support import postgres
from tests.support.cli import Cli
from tests.support.commands import said
from tests.support.gateway import Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import until
from tests.support.refusals import refusal
from tests.support.repository import Repository
from tests.support.runners import Fleet, pids, waiting_for

MARKER = "hunter2-correct-horse"


def test_what_was_used_on_every_way_in_is_found_nowhere(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        server.secrets.values.add(MARKER)
        repository = Repository.make(server, "octocat", "app")
        promotion = "/api/repos/octocat/app/builds/1/promote"
        with Gateway(server.address) as gateway:
            gateway.secrets.values.add(MARKER)
            repository.record(status=pb.BUILD_STATUS_SUCCESS)
            for caller in (Caller(address, server.admin_token) for address in (server.http, gateway.http)):
                assert caller.post(promotion, {"target": "qa", "PASSWORD": MARKER}).status == 200
                for query in (
                    [("target", "qa"), ("DRONE_A", MARKER)],
                    [("target", "qa"), ("A B", MARKER)],
                    [("target", "qa"), ("A", MARKER * 5000)],
                    [("target", "?"), ("PASSWORD", MARKER)],
                ):
                    answer = caller.call("POST", promotion, query)
                    assert (answer.status >= 400, MARKER in answer.body.decode()) == (True, False), answer
                stranger = caller.having("shl_" + "y" * 43)
                assert stranger.post(promotion, {"target": "qa", "A": MARKER}).status == 401
                assert caller.having("").get("/api/user", access_token=server.admin_token).status in (
                    200,
                    401,
                )
        for params in ({"A": f"{MARKER}\0"}, {"DRONE_A": MARKER}, {f"{n}": MARKER for n in range(1100)}):
            assert MARKER not in refusal(repository.promote, 1, params=params).message
        person = Cli(tmp_path, server.address, server.admin_token, "octocat/app")
        assert person.run("promote", "1", "qa", "-p", f"PASSWORD={MARKER}").code == 0
        for wrong in (f"DRONE_A={MARKER}", f"={MARKER}", f"A B={MARKER}", f"A={MARKER * 5000}"):
            failed = person.run("promote", "1", "qa", "-p", wrong)
            assert (failed.code in (1, 2), MARKER in failed.out + failed.err) == (True, False), failed
        if not postgres.is_in_use():
            said("backup", tmp_path / "copy.db", "--database", server.store)
    assert server.secrets.seen == gateway.secrets.seen == []


def test_a_token_that_gets_out_is_seen(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db").start()
    repository = Repository.make(server, "octocat", "app")
    repository.record(message=f"for {server.admin_token}")
    with pytest.raises(AssertionError, match=server.admin_token):
        server.stop()


def test_a_step_has_no_token(server: Shipliftd, repository: Repository, tmp_path: Path) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    note = f"echo $$$$ > {tmp_path}/a.pid"
    build = fleet.promote(f"- {{name: only, commands: ['{note}', '{waiting_for(tmp_path / 'go')}']}}\n")
    token_file = tmp_path / "token"
    token_file.write_text(fleet.runner.token)
    with fleet.running("--once", "--token-file", str(token_file)):
        (step,) = pids(tmp_path, 1)
        seen = Path(f"/proc/{step}/environ").read_bytes() + Path(f"/proc/{step}/cmdline").read_bytes()
        (tmp_path / "go").touch()
        assert fleet.ended(build).status == pb.BUILD_STATUS_SUCCESS
    assert fleet.runner.token.encode() not in seen
    assert b"SHIPLIFT_TOKEN" not in seen
    assert all(lease.encode() not in seen for lease in server.secrets.lease_tokens)


def test_revoked_tokens_are_found_nowhere_either(server: Shipliftd, name: str) -> None:
    token = server.user(name)
    made = server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).token
    server.access().RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))
    until(lambda: server.log)
    assert token not in refusal(server.access(token).WhoAmI, access_pb2.WhoAmIRequest()).message
