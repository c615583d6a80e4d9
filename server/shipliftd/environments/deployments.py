"""Environments: what is in them, and saying so."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from shiplift.v1 import environments_pb2 as pb

from shipliftd import builds
from shipliftd.access.guard import Caller, visible
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments import uncertain
from shipliftd.environments.current import becomes_current
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.models import ENDED, FAILED, Build, Deployment, Lost, Repository
from shipliftd.store.rows import BuildRow, StageRow, Standing, StepRow
from shipliftd.store.transaction import Reader, Transaction

Part = TypeVar("Part", StageRow, StepRow)


def standing(reader: Reader, repository: Repository, environment: str) -> Standing | None:
    """What is in an environment; None where nothing was ever promoted to it."""
    mine = (Build.repo == repository.id) & (Build.deploy_to == environment) & (Build.parent > 0)
    newest = _newest(reader, mine)
    if newest is None:
        return None
    deployed = reader.get(
        Deployment, Deployment.repo == repository.id, Deployment.environment == environment
    )
    current = None if deployed is None else builds.find(reader, repository.id, deployed.number)
    # Only what is newer, so that few are looked at.
    later = mine & (Build.number > (current.number if current is not None else 0))
    failed = _newest(reader, later & Build.status.in_(["failure", "error"]))
    lost = reader.get(Lost, Lost.repo == repository.id, Lost.environment == environment)
    return Standing(
        owner=repository.owner,
        repo=repository.name,
        environment=environment,
        current=current,
        in_flight=newest
        if newest.status not in ENDED
        else _newest(reader, mine & (Build.status == "running")),
        last_failed=failed,
        failed_step=_failed_step(reader, failed) if failed is not None else "",
        lost=None if lost is None else (lost.number, lost.stage, lost.machine, lost.at),
        newest=newest,
    )


def _newest(reader: Reader, condition: Any) -> BuildRow | None:  # noqa: ANN401
    row = reader.row(Build.select().where(condition).order_by(Build.number.desc()))
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
    repositories = reader.all(query.order_by(Repository.owner, Repository.name))
    if request.repo and not repositories:
        raise NotFound(
            f"repository {request.owner}/{request.repo} not found: it does not exist, or you may not read"
            " it",
            reason="REPOSITORY_NOT_FOUND",
            metadata={"owner": request.owner, "repo": request.repo},
        )
    for repository in repositories:
        is_first = key is not None and [repository.owner, repository.name] == key[:2]
        for environment in _environments(
            reader, repository, str(key[2]) if key is not None and is_first else ""
        ):
            if not request.environment or environment == request.environment:
                found = standing(reader, repository, environment)
                if found is not None:
                    yield found


def _environments(reader: Reader, repository: Repository, after: str) -> Iterator[str]:
    """The environments that something was promoted to, each found by one step in an index."""
    while True:
        query = (
            Build.select(Build.deploy_to)
            .where(Build.repo == repository.id, Build.parent > 0, Build.deploy_to > after)
            .order_by(Build.deploy_to)
        )
        row = reader.row(query)
        if row is None:
            return
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
    mine = (Build.repo == caller.repo_id) & (Build.deploy_to == request.environment) & (Build.parent > 0)
    newest = _newest(tx, mine)
    if newest is None:
        raise _never_promoted_to(caller, request.environment)
    _settle(tx, caller, request, mine)
    uncertain.forget(tx, caller.repo_id, request.environment)
    return Written(_load(tx, caller, newest.id))


def _settle(tx: Transaction, caller: Caller, request: pb.SettleEnvironmentRequest, mine: Any) -> None:  # noqa: ANN401
    at = now()
    if not request.build:
        tx.execute(
            Deployment.delete().where(
                Deployment.repo == caller.repo_id, Deployment.environment == request.environment
            )
        )
        return
    build = _newest(tx, mine & (Build.number == request.build))
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
    becomes_current(tx, build._replace(updated=at))
