"""Environments: what is in them, and saying so."""

import functools
from collections.abc import Iterator

from peewee import SQL, Tuple, fn
from shiplift.v1 import environments_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.reach import visible
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments import standings, uncertain
from shipliftd.environments.current import becomes_current, becomes_empty
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Repository
from shipliftd.store.rows import BuildRow, Standing
from shipliftd.store.transaction import Reader, Transaction

_MINE = (Build.repo == arg(0)) & (Build.deploy_to == arg(1)) & (Build.parent > 0)
_NEWEST = Compiled(Build.select(Build.id).where(_MINE).order_by(Build.number.desc()).limit(1))
_NUMBERED = Compiled(Build.select().where(_MINE, Build.number == arg(2)))


def page(
    reader: Reader, caller: Caller, request: pb.ListDeploymentsRequest
) -> tuple[Iterator[Standing], pages.Key | None]:
    """The environments of a page and one more, by owner, repository and name, and where to go on.

    The latter is for when they run out because one has gone meanwhile. Raises Invalid, NotFound.
    """
    faults = Faults()
    faults.only_of(request.owner, request.repo)
    if request.environment:
        faults.target("environment", request.environment)
    faults.refuse()
    wanted = pages.size(request.page_size) + 1
    key = pages.after(reader, request, request.page_token) or ["", "", ""]
    repositories = _repositories(reader, caller, request, key, wanted)
    is_first = bool(repositories) and [*repositories[0][1:]] == key[:2]
    after = str(key[2]) if is_first else ""
    places = standings.walk(reader, repositories, after, wanted, request.environment)
    then: pages.Key | None = [*places[-1][:3]] if len(places) == wanted else None
    return standings.of(reader, places), then


def _repositories(
    reader: Reader, caller: Caller, request: pb.ListDeploymentsRequest, key: pages.Key, most: int
) -> list[tuple[int, str, str]]:
    """Those that have environments, from the key's on, as many as a page needs. Raises NotFound."""
    query = _having_environments(caller, bool(request.owner), bool(request.repo), bool(request.environment))
    # One more: all of the first one's may be on the pages before.
    words = request.owner, request.repo, request.environment
    found: list[tuple[int, str, str]] = query.run(reader, *key[:2], *words, most + 1).fetchall()
    if request.repo and not found:
        named = (Repository.owner == request.owner) & (Repository.name == request.repo)
        if reader.get(Repository, visible(caller), named) is None:
            raise NotFound(
                f"repository {request.owner}/{request.repo} not found: it does not exist, or you may not"
                " read it",
                reason="REPOSITORY_NOT_FOUND",
                metadata={"owner": request.owner, "repo": request.repo},
            )
    return found


@functools.lru_cache(maxsize=256)
def _having_environments(caller: Caller, of_owner: bool, of_repo: bool, of_environment: bool) -> Compiled:
    """The id, owner and name of repositories that the caller may read and something was promoted in.

    Remembered, because to compile it would be a sixth of a page. Of a caller it has what the token says;
    grants are looked up as it runs.
    """
    place = Build.deploy_to == arg(4) if of_environment else Build.deploy_to > ""
    promoted = Build.select(Build.id).where(Build.repo == Repository.id, place, Build.parent > SQL("0"))
    query = Repository.select(Repository.id, Repository.owner, Repository.name).where(
        visible(caller), Tuple(Repository.owner, Repository.name) >= Tuple(arg(0), arg(1))
    )
    if of_owner:
        query = query.where(Repository.owner == arg(2))
    if of_repo:
        query = query.where(Repository.name == arg(3))
    query = query.where(fn.EXISTS(promoted))
    return Compiled(query.order_by(Repository.owner, Repository.name).limit(arg(5)))


def get(reader: Reader, caller: Caller, request: pb.GetDeploymentRequest) -> Standing:
    """What is in one environment. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    faults.refuse()
    found = standings.of_one(reader, caller.repo_id, request.environment)
    if found is None:
        raise _never_promoted_to(caller, request.environment)
    return found


def _never_promoted_to(caller: Caller, environment: str) -> NotFound:
    return NotFound(
        f"nothing was promoted to {environment!r} of {caller.owner}/{caller.repo} yet:"
        " ListDeployments shows what there is",
        reason="ENVIRONMENT_NOT_FOUND",
        metadata={"owner": caller.owner, "repo": caller.repo, "environment": environment},
    )


def key_of(row: Standing) -> pages.Key:
    """What the page after a deployment begins behind."""
    return [row.owner, row.repo, row.environment]


def _load(reader: Reader, caller: Caller, build_id: int) -> Standing:
    build = reader.by_id(Build, build_id)
    found = standings.of_one(reader, caller.repo_id, build.deploy_to)
    assert found is not None  # noqa: S101  # this build was promoted to it
    return found


def _in_it(_tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest) -> None:
    caller.require_environment(request.environment)


@write(load=_load, look=_in_it)
def settle(tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest) -> Written[Standing]:
    """Says what is in an environment now. Raises Invalid, NotFound, Denied."""
    faults = Faults()
    faults.target("environment", request.environment)
    if not request.HasField("build"):
        faults.add("build", "is not set: say which build is there, 0 for none")
    faults.not_negative("build", request.build)
    faults.text("comment", request.comment, 2000)
    faults.refuse()
    newest = _NEWEST.one(tx, caller.repo_id, request.environment)
    if newest is None:
        raise _never_promoted_to(caller, request.environment)
    _settle(tx, caller, request)
    uncertain.forget(tx, caller.repo_id, request.environment)
    return Written(_load(tx, caller, newest[0]))


def _settle(tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest) -> None:
    at = now()
    if not request.build:
        becomes_empty(tx, caller.repo_id, request.environment, at, caller.login)
        return
    row = _NUMBERED.one(tx, caller.repo_id, request.environment, request.build)
    if row is None:
        raise NotFound(
            f"build {request.build} of {caller.owner}/{caller.repo} is no promotion to"
            f" {request.environment!r}: name one that is",
            reason="BUILD_NOT_FOUND",
            metadata={
                "owner": caller.owner,
                "repo": caller.repo,
                "build": request.build,
                "environment": request.environment,
            },
        )
    becomes_current(tx, BuildRow._make(row)._replace(updated=at), caller.login)
