"""DiffPromotion: what a promotion changes where it goes."""

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gated import Gated
from tests.support.harness import Shipliftd
from tests.support.refusals import invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, stored

A, B, C = ("a" * 40, "b" * 40, "c" * 40)


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """A repository of the test's own."""
    return Gated.caller_of(repository)


def diff(
    repository: Repository, build: int, target: str = "production", **fields: object
) -> pb.DiffPromotionResponse:
    """DiffPromotion."""
    return repository.builds.DiffPromotion(repository.promotion(build, target, **fields))


def basic(build: pb.Build) -> pb.Build:
    """A build without what a diff leaves out."""
    for field in ("params", "stages", "warnings", "waiting_for", "verdicts", "approvals"):
        build.ClearField(field)
    return build


def test_where_nothing_is_all_of_it_comes(gated: Gated) -> None:
    artifact = pb.Artifact(name="image", uri="r/a", digest="sha256:1")
    gated.record(status=SUCCESS, release="v1", params={"A": "1"}, artifacts=[artifact])
    found = diff(gated, 1, params={"B": ""})
    assert found.build.deploy_to == "production"
    assert (found.build.number, found.build.parent, found.build.release) == (0, 1, "v1")
    found.ClearField("build")
    assert found == pb.DiffPromotionResponse(
        params=[pb.ParameterChange(name="A", after="1"), pb.ParameterChange(name="B", after="")],
        artifacts=[pb.ArtifactChange(name="image", after=artifact)],
    )
    assert gated.numbers() == [1]


def test_the_builds_between_are_those_of_the_branch(gated: Gated) -> None:
    gated.record(status=SUCCESS, target="main", after=A)
    gated.delivered(1)
    gated.record(target="main", message="first" + "x" * 2000, author_name="Mona", release="v2")
    gated.record(target="next")
    gated.record(target="main", event=pb.BUILD_EVENT_PULL_REQUEST)
    gated.promote(3, "staging")
    gated.record(
        status=SUCCESS, target="main", after=B, params={"A": "1"}, artifacts=[pb.Artifact(name="image")]
    )
    gated.record(target="main")
    found = diff(gated, 7)
    third, seventh = basic(gated.get(3)), basic(gated.get(7))
    third.message = third.message[:1000]
    seventh.ClearField("artifacts")
    assert [*found.builds] == [seventh, third]
    assert (found.current, found.is_backwards, found.more_builds) == (basic(gated.get(2)), False, 0)


def test_of_many_builds_between_the_newest_are_told(gated: Gated) -> None:
    gated.released()
    gated.delivered(1)
    for _ in range(53):
        gated.released()
    found = diff(gated, 55)
    assert [build.number for build in found.builds] == list(range(55, 5, -1))
    assert found.more_builds == 3
    there = diff(gated, 52)
    assert ([there.builds[0].number, there.builds[-1].number], there.more_builds) == ([52, 3], 0)


def test_going_back_takes_builds_out(gated: Gated) -> None:
    for commit in (A, B, C):
        gated.released(after=commit, release=f"v{commit[0]}")
    gated.delivered(3)
    found = diff(gated, 1)
    assert [build.release for build in found.builds] == ["vc", "vb"]
    assert found.is_backwards
    again = diff(gated, 3)
    assert (again.is_backwards, [*again.builds], again.compare_link) == (False, [], "")


def test_what_changes_of_parameters_and_artifacts(gated: Gated) -> None:
    def artifact(name: str, digest: str) -> pb.Artifact:
        return pb.Artifact(name=name, uri=f"r/{name}", digest=digest)

    gated.released(
        params={"KEPT": "1", "LOST": "1", "OTHER": "1"}, artifacts=[artifact("a", "1"), artifact("k", "1")]
    )
    gated.delivered(1)
    gated.declare("production", params=[{"name": "SIZE", "default": "small"}])
    gated.released(params={"KEPT": "1", "OTHER": "2"}, artifacts=[artifact("k", "1"), artifact("z", "2")])
    found = diff(gated, 3, params={"NEW": "x"})
    assert [*found.params] == [
        pb.ParameterChange(name="LOST", before="1"),
        pb.ParameterChange(name="NEW", after="x"),
        pb.ParameterChange(name="OTHER", before="1", after="2"),
        pb.ParameterChange(name="SIZE", after="small"),
    ]
    assert [*found.artifacts] == [
        pb.ArtifactChange(name="a", before=artifact("a", "1")),
        pb.ArtifactChange(name="z", after=artifact("z", "2")),
    ]


def test_a_promotion_that_waits_is_compared_with_what_is_there_now(gated: Gated) -> None:
    gated.released(after=A)
    gated.released(after=B)
    gated.released(after=C)
    gated.declare(required_approvals=1)
    waits = gated.promote(3, params={"A": "1"})
    assert not diff(gated, waits.number, "").HasField("current")
    gated.change(required_approvals=0)
    stored(gated.server, "UPDATE builds SET status = 'success' WHERE id = ?", waits.id)
    there = gated.delivered(1)
    found = diff(gated, waits.number, "")
    assert (found.current.number, found.build.number, found.build.after) == (there, waits.number, C)
    assert [build.number for build in found.builds] == [3, 2]
    assert [*found.params] == [pb.ParameterChange(name="A", after="1")]


def test_what_cannot_be_compared_is_refused(gated: Gated) -> None:
    gated.released()
    told_of = "is empty, and build 1 is no promotion: name the environment that it is to go to"
    assert refusal(diff, gated, 1, "") == invalid(("target", told_of))
    assert refusal(diff, gated, 0, "") == invalid(("build", "is 0: wanted 1 or above"))
    goes_with = "goes with target: a promotion has what it was made with"
    assert refusal(diff, gated, 1, "", params={"A": "1"}) == invalid(("params", goes_with))
    assert refusal(diff, gated, 9, "") == refusal(diff, gated, 9) == refusal(gated.get, 9)
    assert refusal(diff, gated, 1, "a b") == refusal(gated.promote, 1, "a b")


def test_explain_says_the_same(gated: Gated) -> None:
    gated.released(after=A)
    gated.delivered(1)
    gated.released(after=B)
    request = gated.promotion(3, params={"A": "1"})
    explained = gated.builds.ExplainPromotion(request)
    found = gated.builds.DiffPromotion(request)
    for each in (explained.diff, found):
        # When they were asked.
        each.build.ClearField("created")
        each.build.ClearField("updated")
    assert explained.diff == found


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ({"link": "https://github.com/o/r"}, "https://github.com/o/r/compare/{a}...{b}"),
        ({"git_http_url": "https://github.com/o/r.git"}, "https://github.com/o/r/compare/{a}...{b}"),
        ({"link": "https://gitlab.com/o/r/"}, "https://gitlab.com/o/r/-/compare/{a}...{b}"),
        (
            {"link": "https://git.acme.org/o/r", "scm": "gitea"},
            "https://git.acme.org/o/r/compare/{a}...{b}",
        ),
        (
            {"link": "https://git.acme.org/o/r", "scm": "gitlab"},
            "https://git.acme.org/o/r/-/compare/{a}...{b}",
        ),
        ({"link": "https://bitbucket.org/o/r"}, "https://bitbucket.org/o/r/branches/compare/{b}..{a}"),
        ({"link": "https://bitbucket.acme.org/o/r"}, ""),
        ({"link": "https://git.acme.org/o/r"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_page_that_compares_goes_by_the_host(
    server: Shipliftd, name: str, fields: dict[str, str], page: str
) -> None:
    server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(owner="octocat", repo=f"{name}-linked", **fields)  # type: ignore[arg-type]
    )
    gated = Gated(server, "octocat", f"{name}-linked")
    gated.released(after=A)
    gated.released(after=B)
    gated.delivered(1)
    assert diff(gated, 2).compare_link == page.format(a=A, b=B)
    # Back is compared from the older one on, as it would otherwise be empty.
    gated.delivered(2)
    assert diff(gated, 1).compare_link == page.format(a=A, b=B)


@pytest.mark.sqlite
def test_builds_between_are_read_in_their_order(server: Shipliftd) -> None:
    plan = (
        "EXPLAIN QUERY PLAN SELECT * FROM builds WHERE repo_id = 1 AND number > 2 AND number <= 9"
        " AND target = 'main' AND parent + 0 = 0 AND event <> 'pull_request' ORDER BY number DESC LIMIT 50"
    )
    found = stored(server, plan)
    assert len(found) == 1
    assert "USING INDEX builds_number_taken (repo_id=? AND number>? AND number<?)" in found[0][3]
