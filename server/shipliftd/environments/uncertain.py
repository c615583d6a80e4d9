"""Environments of which nobody knows what is there: a runner was lost on its way to them."""

import json
from datetime import UTC, datetime

from shipliftd.enum_words import as_json
from shipliftd.errors import Precondition
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Lost, Repository
from shipliftd.store.rows import BuildRow, StageRow
from shipliftd.store.transaction import Reader, Transaction

_FIND = Compiled(
    Lost.select(Lost.number, Lost.stage, Lost.machine, Lost.at, Lost.newest).where(
        Lost.repo == arg(0), Lost.environment == arg(1)
    )
)


def lose(tx: Transaction, build: BuildRow, stage: StageRow, at: int) -> None:
    """Notes that nobody knows what is in a build's environment."""
    gone = Lost.insert(
        repo=build.repo_id,
        environment=build.deploy_to,
        number=build.number,
        stage=stage.name,
        machine=stage.machine,
        at=at,
        newest=Repository.select(Repository.counter).where(Repository.id == build.repo_id),
    ).on_conflict(
        conflict_target=[Lost.repo, Lost.environment],
        preserve=[Lost.number, Lost.stage, Lost.machine, Lost.at, Lost.newest],
    )
    tx.execute(gone)


def accept_lost(reader: Reader, repo_id: int, environment: str, lost: int) -> list[str]:
    """The warning of a promotion to an uncertain environment, by a caller who names the one that was lost.

    Empty where the environment is certain. Raises Precondition when another was lost than the caller names.
    """
    row = _FIND.one(reader, repo_id, environment)
    if row is None:
        return []
    number, stage, machine, _, _ = row
    told = _told(environment, row)
    if lost == number:
        return [f"{told}. The success of this one settles it."]
    raise Precondition(
        f"{told}. Look what is there, and say so: shiplift settle {environment} --current NUMBER. Or"
        f" promote all the same, and success settles it: try {number} again, or name it with"
        f" despite_lost {number}",
        reason="ENVIRONMENT_UNCERTAIN",
        violations=[(environment, f"promotion {number} was lost on its way there")],
        metadata={"environment": environment, "lost": number, "stage": stage, "machine": machine},
    )


def unknown_to(reader: Reader, repo_id: int, environment: str, number: int) -> str:
    """Why nobody knows what is there, for a promotion that waits; '' where that is known.

    One that was made after the loss was made by somebody who knew of it.
    """
    row = _FIND.one(reader, repo_id, environment)
    if row is None or number > row[4]:
        return ""
    return (
        f"{_told(environment, row)}. Look what is there, and say so: shiplift settle {environment}"
        " --current NUMBER"
    )


def _told(environment: str, row: tuple[int, str, str, int, int]) -> str:
    number, stage, machine, at, _ = row
    since = datetime.fromtimestamp(at // 1000, UTC).isoformat()
    return (
        f"nobody knows what is in {environment}: promotion {number} to it was lost in stage {stage!r} on"
        f" {machine or 'a machine without a name'} at {since}"
    )


def settle_by_success(tx: Transaction, build: BuildRow) -> BuildRow:
    """The build, whose success tells what is in its environment if it was promoted after the loss."""
    row = _FIND.one(tx, build.repo_id, build.deploy_to)
    if row is None or build.number <= row[4]:
        # What was under way already may have been overtaken by what was lost.
        return build
    forget(tx, build.repo_id, build.deploy_to)
    told = (
        f"{build.deploy_to} is settled by this success: promotion {row[0]} had been lost on its way there."
    )
    warnings = as_json([*json.loads(build.warnings), told])
    tx.execute(Build.update(warnings=warnings).where(Build.id == build.id))
    return build._replace(warnings=warnings)


def forget(tx: Transaction, repo_id: int, environment: str) -> None:
    """It is known again what is there."""
    tx.execute(Lost.delete().where(Lost.repo == repo_id, Lost.environment == environment))
