"""Environments: what is in them, and saying so."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from peewee import SQL
from shiplift.v1 import environments_pb2 as pb

from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.access.reach import visible
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments import uncertain
from shipliftd.environments.current import becomes_current, becomes_empty, current_number
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, FAILED, Build, Lost, Repository
from shipliftd.store.rows import BuildRow, StageRow, Standing, StepRow
from shipliftd.store.transaction import Reader, Transaction

Part = TypeVar("Part", StageRow, StepRow)


# Each goes by an index: a page asks for up to a thousand environments.
_MINE = (Build.repo == arg(0)) & (Build.deploy_to == arg(1)) & (Build.parent > 0)
_NEWEST = Compiled(Build.select().where(_MINE).order_by(Build.number.desc()).limit(1))
_RUNNING = Compiled(
    Build.select().where(_MINE, Build.status == SQL("'running'")).order_by(Build.number.desc()).limit(1)
)
# Only what is newer than what is there, so that few are looked at.
_FAILED = Compiled(
    Build.select()
    .where(_MINE, Build.number > arg(2), Build.status.in_(["failure", "error"]))
    .order_by(Build.number.desc())
    .limit(1)
)
_NUMBERED = Compiled(Build.select().where(_MINE, Build.number == arg(2)))
_LOST = Compiled(
    Lost.select(Lost.number, Lost.stage, Lost.machine, Lost.at).where(
        Lost.repo == arg(0), Lost.environment == arg(1)
    )
)
# One step in the index for each: it has the environments in their order.
_NEXT = Compiled(
    Build.select(Build.deploy_to)
    .where(Build.repo == arg(0), Build.parent > 0, Build.deploy_to > arg(1))
    .order_by(Build.deploy_to)
    .limit(1)
)
_REPOSITORIES_AT_ONCE = 100


def standing(reader: Reader, repository: Repository, environment: str) -> Standing | None:
    """What is in an environment; None where nothing was ever promoted to it."""
    place = repository.id, environment
    newest = _build(_NEWEST.one(reader, *place))
    if newest is None:
        return None
    number = current_number(reader, *place)
    failed = _build(_FAILED.one(reader, *place, number))
    in_flight = newest if newest.status not in ENDED else _build(_RUNNING.one(reader, *place))
    return Standing(
        owner=repository.owner,
        repo=repository.name,
        environment=environment,
        current=builds.find(reader, repository.id, number) if number else None,
        in_flight=in_flight,
        last_failed=failed,
        failed_step=_failed_step(reader, failed) if failed is not None else "",
        lost=_LOST.one(reader, *place),
        newest=newest,
    )


def _build(row: tuple[Any, ...] | None) -> BuildRow | None:
    return None if row is None else BuildRow._make(row)


def _failed_step(reader: Reader, build: BuildRow) -> str:
    stage = _first_failed(builds.stages_of(reader, build.id))
    if stage is None:
        return ""
    step = _first_failed(builds.steps_of_stage(reader, stage.id))
    return stage.name if step is None else f"{stage.name}/{step.name}"


def _first_failed(rows: Iterable[Part]) -> Part | None:
    return next((row for row in rows if row.status in FAILED and not row.errignore), None)


def page(reader: Reader, caller: Caller, request: pb.ListDeploymentsRequest) -> Iterator[Standing]:
    """The environments of a page and one more, by owner, repository and name. Raises Invalid, NotFound."""
    faults = Faults()
    faults.only_of(request.owner, request.repo)
    if request.environment:
        faults.target("environment", request.environment)
    faults.refuse()
    pages.size(request.page_size)
    key = pages.after(reader, request, request.page_token)
    return _after(reader, caller, request, key)


def _after(
    reader: Reader, caller: Caller, request: pb.ListDeploymentsRequest, key: pages.Key | None
) -> Iterator[Standing]:
    query = Repository.select().where(visible(caller))
    if request.owner:
        query = query.where(Repository.owner == request.owner)
    if request.repo:
        query = query.where(Repository.name == request.repo)
    if key is not None:
        owner, name = key[0], key[1]
        query = query.where(
            (Repository.owner > owner) | ((Repository.owner == owner) & (Repository.name >= name))
        )
    query = query.order_by(Repository.owner, Repository.name)
    found = 0
    while repositories := reader.all(query.limit(_REPOSITORIES_AT_ONCE).offset(found)):
        found += len(repositories)
        for repository in repositories:
            is_first = key is not None and [repository.owner, repository.name] == key[:2]
            after = str(key[2]) if key is not None and is_first else ""
            for environment in _environments(reader, repository, after):
                if request.environment not in ("", environment):
                    continue
                if (row := standing(reader, repository, environment)) is not None:
                    yield row
    if request.repo and not found:
        raise NotFound(
            f"repository {request.owner}/{request.repo} not found: it does not exist, or you may not read"
            " it",
            reason="REPOSITORY_NOT_FOUND",
            metadata={"owner": request.owner, "repo": request.repo},
        )


def _environments(reader: Reader, repository: Repository, after: str) -> Iterator[str]:
    """The environments that something was promoted to, each found by one step in an index."""
    while (row := _NEXT.one(reader, repository.id, after)) is not None:
        after = row[0]
        yield after


def get(reader: Reader, caller: Caller, request: pb.GetDeploymentRequest) -> Standing:
    """What is in one environment. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    faults.refuse()
    found = standing(reader, reader.by_id(Repository, caller.repo_id), request.environment)
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
    found = standing(reader, reader.by_id(Repository, caller.repo_id), build.deploy_to)
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
    newest = _build(_NEWEST.one(tx, caller.repo_id, request.environment))
    if newest is None:
        raise _never_promoted_to(caller, request.environment)
    _settle(tx, caller, request)
    uncertain.forget(tx, caller.repo_id, request.environment)
    return Written(_load(tx, caller, newest.id))


def _settle(tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest) -> None:
    at = now()
    if not request.build:
        becomes_empty(tx, caller.repo_id, request.environment, at, caller.login)
        return
    build = _build(_NUMBERED.one(tx, caller.repo_id, request.environment, request.build))
    if build is None:
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
    becomes_current(tx, build._replace(updated=at), caller.login)
