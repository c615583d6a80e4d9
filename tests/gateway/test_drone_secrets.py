"""Drone's routes about secrets: what they take, what they refuse, and that no value comes back."""

import json
from typing import Any

import pytest
from shiplift.v1 import access_pb2, secrets_pb2

from tests.support.gateway import Answer, Caller
from tests.support.harness import Shipliftd
from tests.support.repository import Repository

VALUE = "correct horse battery staple"


@pytest.fixture
def admin(server: Shipliftd) -> Caller:
    server.secrets.hide(VALUE)
    return Caller(server.http, server.admin_token)


def sent(who: Caller, method: str, path: str, body: dict[str, Any]) -> Answer:
    return who.call(method, path, (), json.dumps(body), content_type="application/json")


def secret(repository: Repository, name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A secret as Drone has it, with the id that it has."""
    found = repository.server.secret_service().GetSecret(
        secrets_pb2.GetSecretRequest(owner=repository.owner, repo=repository.name, name=name)
    )
    there = {"id": found.id, "namespace": repository.owner, "name": name}
    return {**there, "pull_request": False, "pull_request_push": False, **fields}


def test_a_secret_is_made_changed_and_removed_without_its_value(
    admin: Caller, repository: Repository
) -> None:
    path = f"/api/repos/{repository.slug}/secrets"
    made = sent(admin, "POST", path, {"name": "token", "data": VALUE, "pull_request": None})
    assert (made.status, made.json) == (200, secret(repository, "token"))
    changed = sent(admin, "PATCH", f"{path}/token", {"pull_request": True})
    assert (changed.status, changed.json) == (200, secret(repository, "token", pull_request=True))
    # Again, as whoever got no answer does it: what is not said stays.
    assert sent(admin, "POST", path, {"name": "token", "data": VALUE}).json == changed.json
    assert admin.get(path).json == [changed.json]
    gone = admin.call("DELETE", f"{path}/token")
    assert (gone.status, gone.body) == (204, b"")
    assert admin.get(path).json == []
    assert admin.call("DELETE", f"{path}/token").status == 404
    assert sent(admin, "PATCH", f"{path}/token", {"data": VALUE}).status == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "token"}, "value: is empty: a new secret needs one"),
        ({"name": "token", "data": 1}, "data: wanted a text"),
        ({"name": "token", "data": VALUE, "pull_request": "yes"}, "pull_request: wanted true or false"),
        (
            {"name": "token", "data": VALUE, "pull_request_push": True},
            "pull_request_push: cannot be said here: pull_request has all their builds get it",
        ),
    ],
)
def test_what_cannot_be_set_is_refused(
    admin: Caller, repository: Repository, body: dict[str, Any], told: str
) -> None:
    path = f"/api/repos/{repository.slug}/secrets"
    assert sent(admin, "POST", path, body).told == (400, told)
    assert admin.get(path).json == []


def test_who_may_not_is_told_so(server: Shipliftd, admin: Caller, repository: Repository) -> None:
    path = f"/api/repos/{repository.slug}/secrets"
    sent(admin, "POST", path, {"name": "token", "data": VALUE})
    login = f"w-{repository.name}"
    writer = admin.having(server.user(login, repository.slug, access_pb2.ACCESS_LEVEL_WRITE))
    assert writer.get(path).json == [secret(repository, "token")]
    assert sent(writer, "POST", path, {"name": "token", "data": "x"}).status == 403
    assert writer.call("DELETE", f"{path}/token").status == 403
    assert writer.get("/api/secrets").json == []
    assert writer.get(f"/api/secrets/{repository.owner}").status == 403
    assert admin.having("").get(path).status == 401
    assert admin.having("").get("/api/secrets").status == 401
