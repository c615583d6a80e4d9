from shiplift.v1 import builds_pb2

from tests.harness import Shipliftd


def test_promotes(server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    b = server.builds()
    b.CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name))
    p = b.PromoteBuild(builds_pb2.PromoteRequest(owner=owner, repo=name, build=1, target="production"))
    assert p.number == 2
