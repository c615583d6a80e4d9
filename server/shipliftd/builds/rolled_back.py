"""What a rollback leaves behind: what it replaced says so, and machines are kept from the environment."""

from collections.abc import Collection
from typing import Any

from peewee import SQL, fn

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, Build, Stage
from shipliftd.store.rows import BuildRow
from shipliftd.store.transaction import Reader, Transaction


def began(build: Any) -> Any:  # noqa: ANN401  # an alias, of which peewee's types know no columns
    """Whether it may have changed its environment: it ran, or somebody had a stage of it."""
    has_stage = Stage.select(SQL("1")).where(Stage.build == build.id, Stage.lease_hash.is_null(False))
    return (build.waits == 0) & ((build.started > 0) | build.status.not_in(ENDED) | fn.EXISTS(has_stage))


_back = Build.alias()
# It, or a newer try of the same. What was stopped before it began replaced nothing.
_REPLACED = Compiled(
    Build.select(Build.id)
    .join(_back, on=(_back.repo == Build.repo) & (_back.number == Build.rolled_back_by))
    .where(
        Build.repo == arg(0),
        Build.deploy_to == arg(1),
        Build.origin == arg(2),
        Build.number >= arg(3),
        Build.rolled_back_by > 0,
        began(_back) | _back.status.not_in(ENDED),
    )
    .limit(1)
)


def is_replaced(reader: Reader, caller: Caller, environment: str, origin: int, number: int) -> bool:
    """Whether a rollback took an origin out that came as this build, or later."""
    return _REPLACED.one(reader, caller.repo_id, environment, origin, number) is not None


def leave(tx: Transaction, caller: Caller, back: BuildRow, replaced: Collection[int]) -> None:
    """Notes on builds which rollback replaces them, and holds their environment for machines."""
    found = [builds.find(tx, caller.repo_id, number) for number in replaced]
    ids = [build.id for build in found if build is not None]
    moves.lock_builds(tx, ids)
    for build_id in sorted(ids):
        moves.replace_build(tx, builds.by_id(tx, build_id), back.number)
    environments.hold_automatic(
        tx,
        caller,
        back.deploy_to,
        f"rolled back by build {back.number}: machines deploy again after shiplift resume {back.deploy_to}",
    )


def leave_again(tx: Transaction, caller: Caller, back: BuildRow) -> None:
    """The same of another try of a rollback; what an earlier one had begun to replace stays with that."""
    bad = builds.find(tx, caller.repo_id, back.rollback_of) if back.rollback_of else None
    is_new = bad is not None and not is_replaced(tx, caller, back.deploy_to, bad.origin, bad.number)
    leave(tx, caller, back, [back.rollback_of] if is_new else [])
