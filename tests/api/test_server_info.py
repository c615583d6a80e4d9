"""GetServerInfo: what a server is and takes, for anybody who may connect."""

from pathlib import Path

import grpc
from shiplift.v1 import builds_pb2
from shiplift.v1 import server_pb2 as pb
from shiplift.v1.server_pb2_grpc import ServerServiceStub
from shipliftd import __version__

from tests.support.harness import Shipliftd
from tests.support.refusals import code_of
from tests.support.repository import Repository

MIB = 1024 * 1024
LIMITS = pb.ServerLimits(
    page_size=1000,
    default_page_size=100,
    page_bytes=MIB,
    params=100,
    param_name_characters=256,
    param_value_bytes=32 * 1024,
    params_bytes=128 * 1024,
    pipeline_bytes=MIB,
    stages=100,
    artifacts=50,
    log_bytes=5 * MIB,
    append_lines=10_000,
    request_bytes=4 * MIB,
    lease_seconds=60,
)
FEATURES = ["deployers", "logs", "pipelines", "retries", "runners"]


def info(server: Shipliftd, token: str | None) -> pb.ServerInfo:
    return ServerServiceStub(server.channel(token)).GetServerInfo(pb.GetServerInfoRequest())


def test_anybody_is_told_what_the_server_is_and_takes(own_server: Shipliftd) -> None:
    told = pb.ServerInfo(version=__version__, features=FEATURES, limits=LIMITS)
    token = own_server.user("mona", repositories=["octocat/app"], environments=["qa"], actions=[5])
    assert [info(own_server, who) for who in ("", None, token)] == [told] * 3


def test_features_tell_how_a_server_is_set_up(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine git.example.org login bot password x\n")
    netrc.chmod(0o600)
    arguments = ("--http", "127.0.0.1:0", "--netrc-file", str(netrc))
    with Shipliftd(tmp_path / "shiplift.db", arguments) as server:
        assert list(info(server, "").features) == sorted([*FEATURES, "http", "netrc"])


def test_the_limits_are_those_that_hold(repository: Repository) -> None:
    limits = info(repository.server, "").limits
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    value = {"A": "x" * limits.param_value_bytes}
    assert repository.record(params=value).params == value
    assert code_of(repository.record, params={"A": "x" * (limits.param_value_bytes + 1)}) == invalid
    many = [builds_pb2.StageSpec(name=f"s{n}") for n in range(limits.stages + 1)]
    assert len(repository.record(stages=many[1:]).stages) == limits.stages
    assert code_of(repository.record, stages=many) == invalid
    assert code_of(repository.page, page_size=limits.page_size) == grpc.StatusCode.OK
    assert not repository.page(page_size=limits.default_page_size).next_page_token
