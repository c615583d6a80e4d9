"""SecretService: what is told of secrets, which is never a value."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import secrets_pb2 as pb
from shiplift.v1.secrets_pb2_grpc import SecretServiceStub
from shipliftd.access.write_once import fingerprint
from shipliftd.settings import database_of
from shipliftd.store import open_store
from shipliftd.store.secret import mac
from shipliftd.store.transaction import Reader

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import replayed

VALUE = "correct horse battery staple"


@dataclass
class Kept:
    """The secrets of a repository, and of its owner."""

    stub: SecretServiceStub
    owner: str
    repo: str

    def set(self, name: str, value: str = VALUE, **fields: Any) -> pb.Secret:  # noqa: ANN401
        return self.stub.SetSecret(self.setting(name, value, **fields))

    def setting(self, name: str, value: str = VALUE, **fields: Any) -> pb.SetSecretRequest:  # noqa: ANN401
        return pb.SetSecretRequest(**{**self.where, **fields}, name=name, value=value)

    def getting(self, name: str, **fields: Any) -> pb.GetSecretRequest:  # noqa: ANN401
        return pb.GetSecretRequest(**{**self.where, **fields}, name=name)

    def deleting(self, name: str, **fields: Any) -> pb.DeleteSecretRequest:  # noqa: ANN401
        return pb.DeleteSecretRequest(**{**self.where, **fields}, name=name)

    def listed(self, **fields: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401
        """Name, repository and environment of each, page by page."""
        request = pb.ListSecretsRequest(**{**self.where, **fields}, page_size=2)
        found = []
        for _ in range(100):
            page = self.stub.ListSecrets(request)
            found += [(each.name, each.repo, each.environment) for each in page.secrets]
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        return found

    @property
    def where(self) -> dict[str, Any]:
        return {"owner": self.owner, "repo": self.repo}


@pytest.fixture
def kept(server: Shipliftd, name: str) -> Kept:
    """A repository of an owner of its own."""
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=f"o{name}", repo="app"))
    return Kept(server.secret_service(), f"o{name}", "app")


def seen_by(server: Shipliftd, kept: Kept, **cuts: object) -> Kept:
    """The same with another token of the site admin's, cut as told."""
    request = access_pb2.CreateTokenRequest(login="admin", **cuts)  # type: ignore[arg-type]
    token = server.access().CreateToken(request).secret
    return Kept(server.secret_service(token), kept.owner, kept.repo)


def not_found(kept: Kept, environment: str = "") -> Refusal:
    where = f"{kept.owner}/{kept.repo}" + (f" in {environment}" if environment else "")
    told = f"there is no secret 'token' of {where}: ListSecrets shows those there are"
    return Refusal(grpc.StatusCode.NOT_FOUND, told, "SECRET_NOT_FOUND")


def test_a_secret_is_told_of_without_its_value(kept: Kept) -> None:
    made = kept.set("token", environment="production", pull_requests=True)
    assert made == pb.Secret(
        id=made.id,
        **kept.where,
        environment="production",
        name="token",
        pull_requests=True,
        by="admin",
        created=made.created,
        updated=made.created,
        version=1,
        digest=made.digest,
    )
    assert made.id > 0
    assert made.created.seconds > 0
    assert len(bytes.fromhex(made.digest)) == 4
    assert kept.stub.GetSecret(kept.getting("token", environment="production")) == made
    assert list(kept.stub.ListSecrets(pb.ListSecretsRequest(**kept.where)).secrets) == [made]


def test_a_digest_is_the_same_for_the_same_value_alone(kept: Kept) -> None:
    one, same, other = kept.set("one"), kept.set("same"), kept.set("other", VALUE + ".")
    assert one.digest == same.digest != other.digest


def test_it_is_changed_as_told_and_the_rest_stays(kept: Kept) -> None:
    made = kept.set("token", pull_requests=True)
    changed = kept.set("token", "another value")
    assert (changed.id, changed.version, changed.pull_requests) == (made.id, 2, True)
    assert changed.digest != made.digest
    assert changed.created == made.created
    assert changed.updated.ToMilliseconds() >= made.updated.ToMilliseconds()
    again = kept.set("token", "", pull_requests=False)
    assert (again.version, again.pull_requests, again.digest) == (3, False, changed.digest)


def test_it_is_deleted_and_made_anew(kept: Kept) -> None:
    made = kept.set("token", pull_requests=True)
    gone = kept.stub.DeleteSecret(kept.deleting("token"))
    assert (gone.id, gone.digest, gone.version) == (made.id, made.digest, 2)
    assert refusal(kept.stub.GetSecret, kept.getting("token")) == not_found(kept)
    assert refusal(kept.stub.DeleteSecret, kept.deleting("token")) == not_found(kept)
    assert kept.listed() == []
    assert refusal(kept.stub.SetSecret, kept.setting("token", "")) == invalid(
        ("value", "is empty: a new secret needs one")
    )
    anew = kept.set("token")
    assert (anew.version, anew.pull_requests, anew.digest) == (3, False, made.digest)
    assert anew.created.ToMilliseconds() >= gone.updated.ToMilliseconds()


def test_of_a_deleted_one_nothing_sealed_is_left(server: Shipliftd, kept: Kept) -> None:
    made = kept.set("token")
    kept.stub.DeleteSecret(kept.deleting("token"))
    with opened(server.database) as store:
        row = store.execute("SELECT key_id, wrapped, sealed FROM secrets WHERE id = ?", (made.id,))
        assert tuple(row.fetchone()) == ("", b"", b"")


def test_the_list_has_the_owners_and_those_of_environments(server: Shipliftd, kept: Kept) -> None:
    for name in ("b", "a"):
        kept.set(name)
        kept.set(name, repo="*")
        kept.set(name, environment="staging")
        kept.set(name, environment="production")
    kept.set("c", repo="*")
    of_a = [("a", "*", ""), ("a", "app", ""), ("a", "app", "production"), ("a", "app", "staging")]
    of_b = [("b", *where) for _, *where in of_a]
    assert kept.listed() == [*of_a, *of_b, ("c", "*", "")]
    assert kept.listed(repo="*") == [("a", "*", ""), ("b", "*", ""), ("c", "*", "")]
    other = access_pb2.CreateRepositoryRequest(owner=kept.owner, repo="web")
    server.access().CreateRepository(other)
    assert kept.listed(repo="web") == [("a", "*", ""), ("b", "*", ""), ("c", "*", "")]


def test_a_token_that_is_cut_to_environments_is_held_to_them(server: Shipliftd, kept: Kept) -> None:
    for environment in ("", "staging", "production"):
        kept.set("token", environment=environment)
    cut = seen_by(server, kept, environments=["staging"])
    assert cut.set("token", environment="staging").version == 2
    assert cut.listed() == [("token", "app", ""), ("token", "app", "staging")]
    assert cut.stub.GetSecret(cut.getting("token")).version == 1
    for environment, about in (
        ("production", "production is not one of them"),
        ("", "this is about all of them"),
    ):
        told = Refusal(
            grpc.StatusCode.PERMISSION_DENIED,
            f"this token is cut to the environments staging; {about}",
            "TOKEN_CUT_TO_ENVIRONMENTS",
        )
        assert refusal(cut.stub.SetSecret, cut.setting("token", environment=environment)) == told
        assert refusal(cut.stub.DeleteSecret, cut.deleting("token", environment=environment)) == told
        if environment:
            assert refusal(cut.stub.GetSecret, cut.getting("token", environment=environment)) == told


def test_a_repeat_is_answered_without_the_value_and_another_value_is_another_request(kept: Kept) -> None:
    request = kept.setting("token", request_id="once")
    made = kept.stub.SetSecret(request)
    answer, call = kept.stub.SetSecret.with_call(request)
    assert answer == made
    assert replayed(call)
    other = refusal(kept.stub.SetSecret, kept.setting("token", VALUE + ".", request_id="once"))
    assert (other.code, other.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_TAKEN")
    assert kept.stub.GetSecret(kept.getting("token")) == made
    # Repeated once it is gone, it is told as it was.
    kept.stub.DeleteSecret(kept.deleting("token"))
    assert kept.stub.SetSecret(request).version == 2


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"value": ""}, ("value", "is empty: a new secret needs one")),
        ({"value": "v" * 65_537}, ("value", "has 65537 bytes: at most 65536 are taken")),
        ({"value": "a\0b"}, ("value", "has a NUL character: leave it out")),
        (
            {"name": "a/b"},
            (
                "name",
                "'a/b' is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-', and not '.'"
                " or '..'",
            ),
        ),
        (
            {"environment": "a b"},
            (
                "environment",
                "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
                " '/'",
            ),
        ),
        (
            {"environment": "qa", "repo": "*"},
            ("environment", "is of one repository: leave it out for all of the owner's"),
        ),
    ],
)
def test_what_cannot_be_a_secret_is_refused(
    kept: Kept, fields: dict[str, str], fault: tuple[str, str]
) -> None:
    request = kept.setting(**{"name": "token", **fields})
    assert refusal(kept.stub.SetSecret, request) == invalid(fault)
    assert kept.listed() == []


def test_the_most_that_a_value_may_be_is_taken(kept: Kept) -> None:
    assert kept.set("token", "ü" * 32_768).version == 1


def test_without_a_key_none_is_set_and_those_that_are_there_are_told_of(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    none = {"SHIPLIFTD_SECRET_KEY": ""}
    with Shipliftd(database) as server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
        made = Kept(server.secret_service(), "octocat", "app").set("token")
    with Shipliftd(database, environment=none) as server:
        kept = Kept(server.secret_service(), "octocat", "app")
        assert refusal(kept.stub.SetSecret, kept.setting("token")) == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            "this server has no key to keep secrets with: its operator makes one with `shipliftd new-key`,"
            " and gives the server the file with --secret-key-file",
            "SECRETS_NOT_CONFIGURED",
            (("key", "is not configured"),),
        )
        assert kept.stub.GetSecret(kept.getting("token")) == made
        assert kept.stub.DeleteSecret(kept.deleting("token")).version == 2


def test_a_value_is_nowhere_but_sealed(server: Shipliftd, kept: Kept) -> None:
    """In no file of the store, row of the audit, error or line of the log; nor in base64."""
    for value in (VALUE, "line one of a key\nline two of a key\n"):
        made = kept.set("token", value, request_id=f"{kept.owner}-{len(value)}")
        refusal(kept.stub.SetSecret, kept.setting("a b", value))
        refusal(kept.stub.SetSecret, kept.setting("other", value, request_id=f"{kept.owner}-{len(value)}"))
        assert value not in str(made)
    in_base64 = base64.b64encode(VALUE.encode()).decode().rstrip("=")[:-1]
    assert {VALUE, in_base64, "line one of a key", "line two of a key"} <= server.secrets.hidden
    server.look_for_leaks()
    with opened(server.database) as store:
        rows = store.execute(
            "SELECT method, code FROM audit WHERE owner = ? ORDER BY id", (kept.owner,)
        ).fetchall()
    refused = [("SetSecret", "INVALID_ARGUMENT"), ("SetSecret", "ALREADY_EXISTS")]
    assert rows[1:] == 2 * [("SetSecret", "OK"), *refused]


def test_the_audit_says_which_secret_was_set_or_deleted(server: Shipliftd, kept: Kept) -> None:
    kept.set("token", environment="production", request_id=f"{kept.owner}-named")
    kept.stub.DeleteSecret(kept.deleting("token", environment="production"))
    kept.set("token", repo="*")
    with opened(server.database) as store:
        statement = "SELECT method, repo, target, code, reason FROM audit WHERE owner = ? ORDER BY id"
        rows = [tuple(row) for row in store.execute(statement, (kept.owner,))]
    assert rows[1:] == [
        ("SetSecret", "app", "production", "OK", "secret: token"),
        ("DeleteSecret", "app", "production", "OK", "secret: token"),
        ("SetSecret", "*", "", "OK", "secret: token"),
    ]


def test_the_search_for_leaks_finds_a_value_that_is_there(
    own_server: Shipliftd,
) -> None:
    """Of another table, or of a row that was put in: nothing that is found means nothing otherwise."""
    hidden = own_server.secrets
    hidden.hide(VALUE)
    with opened(own_server.database) as store:
        store.execute("INSERT INTO settings (key, value) VALUES ('a', ?)", (VALUE,))
    hidden.look_into(own_server.database)
    hidden.look("the log", [f"it is {VALUE}"])
    assert len(hidden.seen) >= 2
    hidden.seen.clear()
    hidden.hidden.clear()


def test_many_who_set_the_same_secret_at_once_are_all_answered(kept: Kept) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda n: kept.set("token", f"{VALUE} {n}").version, range(64)))
    assert sorted(versions) == list(range(1, 65))


def test_the_store_alone_confirms_no_guess_of_a_value(server: Shipliftd, kept: Kept) -> None:
    """The key of its HMACs is in it, so that what is made with that may be of no value."""
    request = kept.setting("token", request_id=f"{kept.owner}-guess")
    made = kept.stub.SetSecret(request)

    def with_the_stores_key(reader: Reader) -> tuple[bytes, str]:
        return fingerprint(reader, request), mac(reader, VALUE)[:4].hex()

    async def run() -> tuple[bytes, str]:
        with closing(open_store(database_of(server.store), 1)) as store:
            await store.open()
            return await store.listing(with_the_stores_key)

    guess, digest = asyncio.run(run())
    with opened(server.database) as store:
        row = store.execute("SELECT fingerprint FROM requests WHERE request_id = ?", (request.request_id,))
        assert row.fetchone()[0] != guess
    assert made.digest != digest
