"""What the gates of a promotion say: the facts are read from the store, `gates.py` decides.

One way for all who ask: PromoteBuild, RollbackBuild, RetryBuild, ExplainPromotion, and what sets going a
promotion that waits.
"""

import json
import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from peewee import JOIN, SQL, fn
from shiplift.v1 import access_pb2
from shiplift.v1 import environments_pb2 as pb

from shipliftd.access.reach import granted_level
from shipliftd.enum_words import as_json
from shipliftd.environments import rules as said_rules
from shipliftd.environments.freezes import active
from shipliftd.environments.gates import Facts, Stop, Verdict, unknown
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import (
    IS_QUEUED,
    IS_UNDER_WAY,
    Approval,
    Arrival,
    Build,
    Environment,
    Hold,
    OwnerRules,
    Repository,
    User,
)
from shipliftd.store.transaction import Reader, Transaction

_IS_DECLARED = fn.EXISTS(
    (_other := Environment.alias()).select(SQL("1")).where(_other.repo == Repository.id, _other.declared)
)
_IS_HELD = fn.EXISTS(
    Hold.select(SQL("1")).where(
        Hold.owner == Repository.owner, Hold.repo.in_([Repository.name, "*"]), Hold.ended == SQL("0")
    )
)
_PLACE = Compiled(
    Repository.select(
        Repository.owner,
        Repository.name,
        Repository.active,
        Repository.runner_secrets,
        Repository.git_http_url,
        Environment.id,
        Environment.declared,
        Environment.said,
        Environment.rules_version,
        _IS_DECLARED,
        _IS_HELD,
        OwnerRules.said,
    )
    .join(
        Environment,
        JOIN.LEFT_OUTER,
        on=(Environment.repo == Repository.id) & (Environment.name == arg(1)),
    )
    .switch(Repository)
    .join(OwnerRules, JOIN.LEFT_OUTER, on=(OwnerRules.owner == Repository.owner))
    .where(Repository.id == arg(0))
)
_DECLARED = Compiled(
    Environment.select(Environment.name)
    .where(Environment.repo == arg(0), Environment.declared)
    .order_by(Environment.name)
    # So many are compared with a name that is none of them.
    .limit(200)
)
# The widest first: what stops more is told where several do.
_HOLDS = Compiled(
    Hold.select(Hold.repo, Hold.environment, Hold.scope, Hold.by, Hold.reason, Hold.until)
    .where(
        Hold.owner == arg(0),
        Hold.repo.in_([arg(1), "*"]),
        Hold.environment.in_([arg(2), ""]),
        Hold.ended == SQL("0"),
    )
    .order_by(Hold.repo, Hold.environment)
)
# The first by what was reported, as the index has it; and of it when the server heard of that, for nothing
# moves what has ended: no report shortens the time of soak.
_HAS_SUCCEEDED = (
    (Build.repo == arg(0))
    & (Build.origin == arg(2))
    & (Build.deploy_to == arg(1))
    # In the words of the index.
    & SQL("status = 'success' AND parent > 0")
)
_SUCCEEDED = Compiled(Build.select(Build.updated).where(_HAS_SUCCEEDED).order_by(Build.finished).limit(1))
_SUCCEEDED_WITH = Compiled(Build.select(Build.params).distinct().where(_HAS_SUCCEEDED))
_SETTLED = Compiled(
    Arrival.select(Build.origin, Arrival.at)
    .join(Build, JOIN.LEFT_OUTER)
    .where(Arrival.repo == arg(0), Arrival.environment == arg(1))
    .order_by(Arrival.id.desc())
    .limit(1)
)
_UNDER_WAY = Compiled(
    Build.select(Build.number)
    .where(
        Build.repo == arg(0),
        Build.deploy_to == arg(1),
        Build.waits == SQL("0"),
        Build.id != arg(2),
        SQL(IS_UNDER_WAY),
    )
    .limit(1)
)
# Rollbacks go before promotions, and then those that were asked for first. Only the first is looked at.
_FIRST = Compiled(
    Build.select(Build.event, Build.number)
    .where(Build.repo == arg(0), Build.deploy_to == arg(1), IS_QUEUED)
    .order_by(Build.event.desc(), Build.number)
    .limit(1)
)
_APPROVED = Compiled(
    Approval.select(Approval.login, Approval.void)
    .where(Approval.build == arg(0), ~Approval.declined)
    .order_by(Approval.id)
)
_USER = Compiled(User.select(User.id, User.machine, User.admin, User.disabled).where(User.login == arg(0)))


class Place(NamedTuple):
    """An environment of a repository as gates see it; `environment_id` is None where nothing knows it."""

    owner: str
    repo: str
    active: bool
    runner_secrets: bool
    git_http_url: str
    environment_id: int | None
    declared: bool | None
    said: str | None
    rules_version: int | None
    any_declared: bool
    any_hold: bool
    owner_said: str | None

    @property
    def slug(self) -> str:
        """The repository."""
        return f"{self.owner}/{self.repo}"

    @property
    def rules(self) -> said_rules.Said | None:
        """What its admins say of the environment; None where it is not declared."""
        if not self.declared or self.said is None:
            return None
        return said_rules.said(self.said, self.rules_version or 0)

    @property
    def is_ruled(self) -> bool:
        """Whether anything but the server itself stands between a promotion and this place."""
        return bool(self.any_declared or self.any_hold or self.owner_said)


def declared_names(reader: Reader, repo_id: int) -> tuple[str, ...]:
    """The environments that a repository declares, by name; the first 200."""
    return tuple(row[0] for row in _DECLARED.run(reader, repo_id).fetchall())


class Asked(NamedTuple):
    """A promotion that gates are asked about; `id` is 0 for one that is not stored yet."""

    id: int
    repo_id: int
    environment: str
    login: str
    # Why the caller may not promote there, '' where they may.
    access: str
    is_admin: bool
    # The build that is promoted, its status and commit, and its origin.
    build: int
    status: str
    commit: str
    origin: int
    params: Mapping[str, str]
    at: int
    created: int
    event: str
    # Of one that is not stored yet: behind all others.
    number: int = 2**31 - 1
    # The names of secret parameters; when it begins their values are among `params`, and afterwards not.
    masked: Collection[str] = ()
    # Whether it begins with others than what it repeats.
    changes_masked: bool = False


def note(tx: Transaction, repo_id: int, environment: str) -> None:
    """Has an environment listed, to which something is promoted for the first time."""
    tx.execute(Environment.insert(repo=repo_id, name=environment).on_conflict_ignore())


def place_of(reader: Reader, repo_id: int, environment: str) -> Place:
    """An environment of a repository that is known to be there."""
    return Place._make(_PLACE.one(reader, repo_id, environment))


def undeclared(reader: Reader, repo_id: int, environment: str) -> str:
    """Why nothing may go there: the repository declares others; '' where it declares it, or none."""
    declared = declared_names(reader, repo_id)
    if not declared or environment in declared:
        return ""
    place = place_of(reader, repo_id, environment)
    return "" if place.declared else unknown(place.slug, environment, declared)


def facts(reader: Reader, place: Place, asked: Asked, uncertain: str = "", stages: str = "") -> Facts:
    """What the gates know of a promotion.

    `uncertain` says why nobody knows what is there, `stages` why there is nothing to run: see `Facts`.
    """
    found = Facts(
        at=asked.at,
        slug=place.slug,
        environment=asked.environment,
        login=asked.login,
        is_admin=asked.is_admin,
        access=asked.access,
        build=asked.build,
        status=asked.status,
        commit=asked.commit,
        is_active=bool(place.active),
        uncertain=uncertain,
        stages=stages,
    )
    if not place.is_ruled:
        return found
    said = place.rules
    if place.any_hold:
        found = found._replace(hold=_hold(reader, place, asked))
    freezes = list(said_rules.said_owner(place.owner_said).freezes) if place.owner_said else []
    if said is None:
        declared = declared_names(reader, asked.repo_id)
        return found._replace(declared=declared, freeze=active(freezes, asked.at))
    is_rollback = asked.event == "rollback"
    queued, queued_event = _queued(reader, asked)
    if said.rules.required_approvals and asked.id:
        found = _with_approvals(reader, asked, found)
    if said.rules.required_approvals and is_rollback:
        found = found._replace(changes_parameters=_changes_parameters(reader, asked, said.message))
    return found._replace(
        rules=said.rules,
        freeze=active([*freezes, *said.message.freezes], asked.at),
        parameters=said_rules.lacking(said.message.params, asked.params, asked.masked),
        succeeded=_succeeded(reader, asked, said.rules.requires),
        approvals_end=asked.created + said.rules.approval_window,
        under_way=_under_way(reader, asked),
        # Though nothing is under way: it may have ended since those were asked about.
        queued=queued,
        queued_stays=queued_event == "rollback" != asked.event,
        is_rollback=is_rollback,
    )


def _hold(reader: Reader, place: Place, asked: Asked) -> Stop | None:
    """The hold that stops a promotion: of several the one that lasts, and of these the widest."""
    found = []
    for on_repo, on_environment, scope, by, reason, until in _HOLDS.run(
        reader, place.owner, place.repo, asked.environment
    ).fetchall():
        if until and until <= asked.at:
            continue
        if scope == "automatic" and not _is_machine(reader, asked.login):
            continue
        what = f"{place.owner}/*" if on_repo == "*" else asked.environment if on_environment else place.slug
        machines = " for machine users" if scope == "automatic" else ""
        found.append(Stop(f"{what} is held by {by}{machines}", reason, until))
    return max(found, key=lambda stop: stop.until or math.inf, default=None)


def _is_machine(reader: Reader, login: str) -> bool:
    row = _USER.one(reader, login)
    return row is not None and bool(row[1])


def _succeeded(reader: Reader, asked: Asked, environment: str) -> int:
    """When the origin first succeeded there, or was said to be there, if it is; 0 for never."""
    if not environment:
        return 0
    first = _SUCCEEDED.one(reader, asked.repo_id, environment, asked.origin)
    if first is not None:
        return int(first[0])
    there = _SETTLED.one(reader, asked.repo_id, environment)
    return there[1] if there is not None and there[0] == asked.origin else 0


def _changes_parameters(reader: Reader, asked: Asked, said: pb.Environment) -> bool:
    """Whether the origin has never succeeded there with these parameters, but for defaults."""
    if asked.changes_masked:
        return True
    params = {name: value for name, value in asked.params.items() if name not in asked.masked}
    rows = _SUCCEEDED_WITH.run(reader, asked.repo_id, asked.environment, asked.origin).fetchall()
    return all(said_rules.completed(said.params, json.loads(row[0])) != params for row in rows)


def _with_approvals(reader: Reader, asked: Asked, found: Facts) -> Facts:
    rows = _APPROVED.run(reader, asked.id).fetchall()
    approved = tuple(login for login, is_void in rows if not is_void)
    void = dict.fromkeys(login for login, is_void in rows if is_void and login not in approved)
    return found._replace(approved=approved, void=tuple(void))


def _under_way(reader: Reader, asked: Asked) -> int:
    row = _UNDER_WAY.one(reader, asked.repo_id, asked.environment, asked.id)
    return row[0] if row is not None else 0


def _queued(reader: Reader, asked: Asked) -> tuple[int, str]:
    """The number and event of the first that waits ahead of it; (0, '') for none."""
    row = _FIRST.one(reader, asked.repo_id, asked.environment)
    if row is None:
        return 0, ""
    event, number = row
    is_ahead = event > asked.event or (event == asked.event and number < asked.number)
    return (number, event) if is_ahead else (0, "")


def access_of(reader: Reader, place: Place, login: str) -> tuple[str, bool]:
    """Why a user may not promote any more ('' where they may), and whether they are an admin there."""
    row = _USER.one(reader, login)
    if row is None or row[3]:
        return f"{login} is disabled", False
    level = granted_level(reader, row[0], place.owner, place.repo)
    if row[2] or level >= access_pb2.ACCESS_LEVEL_ADMIN:
        return "", True
    if level < access_pb2.ACCESS_LEVEL_WRITE:
        return f"{login} may not write to {place.slug} any more", False
    return "", False


def stored(verdicts: tuple[Verdict, ...]) -> str:
    """Verdicts as a build's row keeps them."""
    return as_json([list(verdict) for verdict in verdicts])


def read(text: str) -> tuple[Verdict, ...]:
    """Verdicts of a build's row."""
    return tuple(
        Verdict(gate, result, reason, tuple(cleared_by), earliest)
        for gate, result, reason, cleared_by, earliest in json.loads(text)
    )
