"""What is in an environment: the last promotion to it that succeeded, unless somebody said otherwise."""

from shipliftd.store.compiled import Compiled, arg, inserting
from shipliftd.store.models import Arrival, Deployment
from shipliftd.store.rows import BuildRow
from shipliftd.store.transaction import Reader, Transaction

_NEWEST = Compiled(
    Arrival.select(Arrival.number, Arrival.at)
    .where(Arrival.repo == arg(0), Arrival.environment == arg(1))
    .order_by(Arrival.id.desc())
    .limit(1)
)
_ARRIVES = inserting(Arrival)


def current_number(reader: Reader, repo_id: int, environment: str) -> int:
    """The number of the build that is current there, 0 where there is none."""
    return newest_arrival(reader, repo_id, environment)[0]


def newest_arrival(reader: Reader, repo_id: int, environment: str) -> tuple[int, int]:
    """The number of the build that is current there, and since when; 0 where there is none."""
    number, at = _NEWEST.one(reader, repo_id, environment) or (0, 0)
    return number, at


def becomes_current(tx: Transaction, build: BuildRow, said_by: str = "", comment: str = "") -> None:
    """Makes a promotion what is in its environment, because it succeeded or somebody says so."""
    there = Deployment.insert(
        repo=build.repo_id,
        environment=build.deploy_to,
        build=build.id,
        number=build.number,
        updated=build.updated,
    ).on_conflict(
        conflict_target=[Deployment.repo, Deployment.environment],
        preserve=[Deployment.build, Deployment.number, Deployment.updated],
    )
    # Before it arrives: of two at once the row lets one wait, and what is there is what arrived last.
    tx.execute(there)
    _ARRIVES.run(
        tx, build.repo_id, build.deploy_to, build.id, build.number, build.updated, said_by, comment
    )


def becomes_empty(
    tx: Transaction, repo_id: int, environment: str, at: int, said_by: str, comment: str
) -> None:
    """Somebody says that nothing is there."""
    tx.execute(Deployment.delete().where(Deployment.repo == repo_id, Deployment.environment == environment))
    _ARRIVES.run(tx, repo_id, environment, None, 0, at, said_by, comment)
