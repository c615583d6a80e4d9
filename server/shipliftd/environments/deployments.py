"""Environments: what is in them, and saying so."""

import functools
from collections.abc import Iterator

from peewee import Tuple
from shiplift.v1 import environments_pb2 as pb

from shipliftd import environments
from shipliftd.access.callers import Caller
from shipliftd.access.reach import visible
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments import history, standings, uncertain
from shipliftd.environments.current import becomes_current, becomes_empty
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import moves, pages
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Environment, Repository
from shipliftd.store.rows import BuildRow, Standing
from shipliftd.store.transaction import Reader, Transaction

_MINE = (Build.repo == arg(0)) & (Build.deploy_to == arg(1)) & (Build.parent > 0)
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
    at = faults.time("at", request.at)
    if at > now():
        faults.add("at", f"{request.at.ToJsonString()} has not come yet: wanted a time that has")
    faults.refuse()
    wanted = pages.size(request.page_size) + 1
    key = pages.after(reader, request, request.page_token) or ["", "", ""]
    is_past = request.HasField("at")
    query = _environments(
        caller, bool(request.owner), bool(request.repo), bool(request.environment), is_past
    )
    args = (*key, request.owner, request.repo, request.environment, wanted)
    found = query.run(reader, *args, at).fetchall()
    if request.repo and not found:
        _require_readable(reader, caller, request)
    places = [standings.Place._make(row) for row in found] if not is_past else []
    past = [history.PastPlace._make(row) for row in found] if is_past else []
    then: pages.Key | None = None
    if len(found) == wanted:
        last = past[-1] if is_past else places[-1]
        then = [last.owner, last.repo, last.environment]
    return history.of(reader, past) if is_past else standings.of(reader, places), then


def _require_readable(reader: Reader, caller: Caller, request: pb.ListDeploymentsRequest) -> None:
    named = (Repository.owner == request.owner) & (Repository.name == request.repo)
    if reader.get(Repository, visible(caller), named) is None:
        raise NotFound(
            f"repository {request.owner}/{request.repo} not found: it does not exist, or you may not read"
            " it",
            reason="REPOSITORY_NOT_FOUND",
            metadata={"owner": request.owner, "repo": request.repo},
        )


@functools.lru_cache(maxsize=256)
def _environments(
    caller: Caller, of_owner: bool, of_repo: bool, of_environment: bool, is_past: bool
) -> Compiled:
    """The environments of repositories that the caller may read, by owner, repository and name.

    Remembered, because to compile it would be a sixth of a page. Of a caller it has what the token says;
    grants are looked up as it runs.
    """
    place = Tuple(Repository.owner, Repository.name)
    is_behind = (place > Tuple(arg(0), arg(1))) | (Environment.name > arg(2))
    # Both, for the first one alone is what an index is good for.
    selected = history.select(arg(7)) if is_past else standings.select()
    query = selected.where(visible(caller), place >= Tuple(arg(0), arg(1)), is_behind)
    if of_owner:
        query = query.where(Repository.owner == arg(3))
    if of_repo:
        query = query.where(Repository.name == arg(4))
    if of_environment:
        query = query.where(Environment.name == arg(5))
    return Compiled(query.order_by(Repository.owner, Repository.name, Environment.name).limit(arg(6)))


def get(reader: Reader, caller: Caller, request: pb.GetDeploymentRequest) -> Standing:
    """What is in one environment. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    faults.refuse()
    found = standings.of_one(reader, caller.repo_id, request.environment)
    if found is None:
        raise history.never_promoted_to(caller, request.environment)
    return found


def key_of(row: Standing) -> pages.Key:
    """What the page after a deployment begins behind."""
    return [row.owner, row.repo, row.environment]


def _load(reader: Reader, caller: Caller, environment_id: int) -> Standing:
    row = reader.by_id(Environment, environment_id)
    found = standings.of_one(reader, caller.repo_id, row.name)
    if found is None:
        # Its declaration was taken back, or what was promoted to it has been removed since.
        raise history.never_promoted_to(caller, row.name)
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
    there = environments.place_of(tx, caller.repo_id, request.environment)
    if there.environment_id is None:
        raise history.never_promoted_to(caller, request.environment)
    _settle(tx, caller, request)
    uncertain.forget(tx, caller.repo_id, request.environment)
    moves.environment_changed(tx, caller.repo_id, request.environment, "settled", 0, now())
    tx.tell("gates", caller.repo_id)
    return Written(_load(tx, caller, there.environment_id))


def _settle(tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest) -> None:
    at = now()
    if not request.build:
        becomes_empty(tx, caller.repo_id, request.environment, at, caller.login, request.comment)
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
    becomes_current(tx, BuildRow._make(row)._replace(updated=at), caller.login, request.comment)
