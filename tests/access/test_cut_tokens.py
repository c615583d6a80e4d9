"""Tokens that are cut down: what they make, list and revoke, and where they reach."""

import grpc
import pytest
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2

from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.tokens import future, listed, make


def test_a_cut_token_neither_lists_nor_revokes_what_reaches_past_it(server: Shipliftd, name: str) -> None:
    mine = server.user(name)
    cuts = {"actions": [pb.TOKEN_ACTION_ADMIN, pb.TOKEN_ACTION_RUN], "environments": ["staging", "canary"]}
    wider = [
        make(server, mine),
        make(server, mine, actions=[pb.TOKEN_ACTION_ADMIN]),
        make(server, mine, environments=["staging"]),
        make(server, mine, actions=[pb.TOKEN_ACTION_READ], environments=["staging"]),
        make(server, mine, actions=[pb.TOKEN_ACTION_RUN], environments=["staging", "production"]),
    ]
    narrow = make(
        server, mine, actions=[pb.TOKEN_ACTION_RUN], environments=["canary"], repositories=["a/b"]
    )
    cut = make(server, mine, **cuts, expires=future(days=1))
    assert [token.id for token in listed(server, cut.secret)] == [cut.id, narrow.id]
    # Pages are made of what is shown.
    first = server.access(cut.secret).ListTokens(pb.ListTokensRequest(page_size=1))
    request = pb.ListTokensRequest(page_size=1, page_token=first.next_page_token)
    second = server.access(cut.secret).ListTokens(request)
    shown = [[token.id for token in page.tokens] for page in (first, second)]
    assert (shown, second.next_page_token) == ([[cut.id], [narrow.id]], "")

    assert refusal(server.access(cut.secret).RevokeToken, pb.RevokeTokenRequest(id=wider[0].id)) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"token {wider[0].id} reaches past this one's cuts, so this one cannot revoke it:"
        " actions: admin, run; environments: staging, canary",
        "BEYOND_OWN_TOKEN",
    )
    for token in wider:
        request_for = pb.RevokeTokenRequest(id=token.id)
        assert refusal(server.access(cut.secret).RevokeToken, request_for).reason == "BEYOND_OWN_TOKEN"
        assert server.access(token.secret).WhoAmI(pb.WhoAmIRequest()).token.id == token.id
    for token in (narrow, cut):
        revoked = server.access(cut.secret).RevokeToken(pb.RevokeTokenRequest(id=token.id))
        assert revoked.HasField("revoked")


CUTS: dict[str, object] = {
    "actions": [pb.TOKEN_ACTION_PROMOTE, pb.TOKEN_ACTION_ADMIN],
    "repositories": ["octocat/app", "hooli/*"],
    "environments": ["staging", "canary"],
}


@pytest.mark.parametrize(
    "narrower",
    [
        {},
        {"actions": [pb.TOKEN_ACTION_PROMOTE]},
        {"repositories": ["octocat/app"]},
        {"repositories": ["hooli/*"]},
        {"repositories": ["hooli/search", "hooli/mail"]},
        {"environments": ["canary"]},
        {"expires": 1},
    ],
    ids=str,
)
def test_a_cut_token_makes_tokens_within_its_cuts(
    server: Shipliftd, name: str, narrower: dict[str, object]
) -> None:
    end = future(days=2)
    cut = make(server, server.user(name), **CUTS, expires=end).secret
    child = {**CUTS, "expires": end, **narrower}
    if child["expires"] == 1:
        child["expires"] = future(days=1)
    made = make(server, cut, **child)
    assert made == pb.Token(
        **child,  # type: ignore[arg-type]
        id=made.id,
        login=name,
        hint=made.hint,
        created=made.created,
        secret=made.secret,
    )


@pytest.mark.parametrize(
    ("wider", "beyond"),
    [
        ({"actions": []}, "actions: admin, promote"),
        ({"actions": [pb.TOKEN_ACTION_ADMIN, pb.TOKEN_ACTION_READ]}, "actions: admin, promote"),
        ({"repositories": []}, "repositories: octocat/app, hooli/*"),
        ({"repositories": ["octocat/app", "octocat/web"]}, "repositories: octocat/app, hooli/*"),
        ({"repositories": ["octocat/*"]}, "repositories: octocat/app, hooli/*"),
        ({"repositories": ["Hooli/app"]}, "repositories: octocat/app, hooli/*"),
        ({"environments": []}, "environments: staging, canary"),
        ({"environments": ["staging", "production"]}, "environments: staging, canary"),
        ({"environments": ["Staging"]}, "environments: staging, canary"),
        (
            {"actions": [], "repositories": [], "environments": []},
            "actions: admin, promote; repositories: octocat/app, hooli/*; environments: staging, canary",
        ),
    ],
    ids=str,
)
def test_a_cut_token_cannot_make_a_wider_one(
    server: Shipliftd, name: str, wider: dict[str, object], beyond: str
) -> None:
    cut = make(server, server.user(name), **CUTS).secret
    before = listed(server, cut)
    assert refusal(make, server, cut, **{**CUTS, **wider}) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"this token is cut down, and can only make tokens within its own cuts: {beyond}",
        "BEYOND_OWN_TOKEN",
    )
    assert [token.id for token in listed(server, cut)] == [token.id for token in before]


@pytest.mark.parametrize("later", [None, 3], ids=["never", "later"])
def test_a_token_that_expires_cannot_make_one_that_outlives_it(
    server: Shipliftd, name: str, later: int | None
) -> None:
    end = future(days=2)
    cut = make(server, server.user(name), expires=end).secret
    fields = {} if later is None else {"expires": future(days=later)}
    until = end.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert refusal(make, server, cut, **fields) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "this token is cut down, and can only make tokens within its own cuts: expires:"
        f" {until} at the latest",
        "BEYOND_OWN_TOKEN",
    )


def test_a_site_admins_cut_token_cannot_make_a_wider_one_for_another_user(
    server: Shipliftd, name: str
) -> None:
    server.user(name)
    cut = make(server, None, actions=[pb.TOKEN_ACTION_ADMIN]).secret
    assert refusal(make, server, cut, login=name).reason == "BEYOND_OWN_TOKEN"
    assert make(server, cut, login=name, actions=[pb.TOKEN_ACTION_ADMIN]).login == name


def test_a_site_admins_token_that_is_cut_to_a_repository_is_no_site_admins(
    server: Shipliftd, name: str
) -> None:
    theirs = make(server, server.user(name))
    cut = make(server, None, repositories=["octocat/app"]).secret
    assert refusal(listed, server, cut, login=name) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"ListTokens for '{name}' needs a site admin; this token is cut to repositories",
        "NOT_YOURS",
    )
    assert refusal(make, server, cut, login=name, repositories=["octocat/app"]).reason == "NOT_YOURS"
    assert (
        refusal(server.access(cut).RevokeToken, pb.RevokeTokenRequest(id=theirs.id)).code
        == grpc.StatusCode.NOT_FOUND
    )


def test_a_token_cut_to_environments_promotes_to_these_alone(repository: Repository) -> None:
    login = f"deployer-{repository.name}"
    whole = repository.of(login, pb.ACCESS_LEVEL_ADMIN)
    secret = make(repository.server, whole.token, environments=["staging", "canary"]).secret
    cut = repository.seen_by(secret)
    denied = Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "this token is cut to the environments staging, canary; production is not one of them",
        "TOKEN_CUT_TO_ENVIRONMENTS",
    )
    # Recording and reading are about no environment.
    recorded = cut.record()
    assert cut.get(1) == recorded
    assert cut.report(1, builds_pb2.BUILD_STATUS_SUCCESS).version == 2
    assert [cut.promote(1, target).number for target in ("staging", "canary")] == [2, 3]
    assert refusal(cut.promote, 1, "production") == denied
    assert refusal(cut.promote, 1, "Staging").reason == "TOKEN_CUT_TO_ENVIRONMENTS"

    whole.promote(1, "production")
    assert refusal(cut.report, 4, builds_pb2.BUILD_STATUS_SUCCESS) == denied
    assert cut.get(4).deploy_to == "production"
    assert cut.report(2, builds_pb2.BUILD_STATUS_SUCCESS).status == builds_pb2.BUILD_STATUS_SUCCESS


def test_a_token_cut_to_promoting_cannot_read(repository: Repository) -> None:
    repository.record()
    login = f"deployer-{repository.name}"
    whole = repository.of(login, pb.ACCESS_LEVEL_WRITE)
    secret = make(repository.server, whole.token, actions=[pb.TOKEN_ACTION_PROMOTE]).secret
    cut = repository.seen_by(secret)
    assert cut.promote(1).number == 2
    assert refusal(cut.get, 1) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "GetBuild needs the action read; this token is cut to promote",
        "TOKEN_CUT_TO_ACTIONS",
    )
