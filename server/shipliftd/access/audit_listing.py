"""Lists of the audit: the newest first, or the oldest first from a place in the chain on."""

from typing import Any, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from peewee import JOIN, Tuple
from shiplift.v1 import access_pb2 as pb

from shipliftd.access import audit_chain
from shipliftd.access.callers import Caller
from shipliftd.access.users import user_named
from shipliftd.errors import shown
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.models import Audit, Token, User
from shipliftd.store.transaction import Reader

# A page with filters that no index serves looks at so many rows and no more.
_MOST_LOOKED_AT = 50_000
_OUTCOMES = ("ok", "refused", *(code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK))
_COLUMNS = (
    *(Audit.seq, Audit.at, User.login, Token.name, Audit.token_id, Audit.method, Audit.owner, Audit.repo),
    *(Audit.target, Audit.build, Audit.resource_id, Audit.request_id, Audit.code, Audit.reason),
    *(Audit.address, Audit.client, Audit.verdicts, Audit.hash),
)


class Event(NamedTuple):
    """A sealed row of the audit, with the names of its user and token; None: the operator has none."""

    seq: int
    at: int
    login: str | None
    token: str | None
    token_id: int
    method: str
    owner: str
    repo: str
    environment: str
    build: int
    resource_id: int
    request_id: str
    code: str
    reason: str
    address: str
    client: str
    verdicts: str
    hash: bytes


class Found(NamedTuple):
    """The rows of a page and one more, and where to go on when they run out."""

    rows: list[Event]
    then: pages.Key | None = None
    next_after: int = 0


def page(reader: Reader, caller: Caller, request: pb.ListAuditEventsRequest) -> Found:
    """The events of a page. Raises Invalid, Denied, NotFound (no such user)."""
    caller.require_environment(request.environment)
    since, until = _checked(request)
    most = pages.size(request.page_size)
    user_id = user_named(reader, request.user, "user").id if request.user else 0
    served, looked_through = _filters(request, user_id)
    times = _times(since, until)
    if request.HasField("after"):
        return _oldest(reader, request.after, [*looked_through, *times], most)
    return _newest(reader, request, [*served, *times], looked_through, most)


def _oldest(reader: Reader, after: int, filters: list[Any], most: int) -> Found:
    # The head first: all rows up to it are committed.
    head = audit_chain.place(reader, audit_chain.HEAD).seq
    begin = max(after, audit_chain.place(reader, audit_chain.ANCHOR).seq)
    end = max(min(begin + _MOST_LOOKED_AT, head), after)
    query = _select(Audit.seq > begin, Audit.seq <= end, *filters).order_by(Audit.seq).limit(most + 1)
    rows = [Event._make(row) for row in reader.rows(query)]
    return Found(rows, next_after=end)


def _newest(
    reader: Reader, request: pb.ListAuditEventsRequest, served: list[Any], others: list[Any], most: int
) -> Found:
    key = pages.after(reader, request, request.page_token)
    place = Tuple(Audit.at, Audit.seq)
    if key is not None:
        served = [*served, Audit.at <= key[0], place < Tuple(*key)]
    order = (Audit.at.desc(), Audit.seq.desc())
    then: pages.Key | None = None
    if others:
        last = Audit.select(Audit.at, Audit.seq).where(Audit.seq > 0, *served).order_by(*order)
        found = reader.row(last.offset(_MOST_LOOKED_AT - 1))
        if found is not None:
            then = list(found)
            served = [*served, Audit.at >= found[0], place >= Tuple(*found)]
    query = _select(Audit.seq > 0, *served, *others).order_by(*order).limit(most + 1)
    return Found([Event._make(row) for row in reader.rows(query)], then)


def _select(*conditions: Any) -> Any:  # noqa: ANN401  # peewee's
    # Users and tokens are never removed; the operator has none.
    return (
        Audit.select(*_COLUMNS)
        .join(User, JOIN.LEFT_OUTER, on=(User.id == Audit.user_id))
        .join(Token, JOIN.LEFT_OUTER, on=(Token.id == Audit.token_id))
        .where(*conditions)
    )


def _filters(request: pb.ListAuditEventsRequest, user_id: int) -> tuple[list[Any], list[Any]]:
    """The conditions that an index serves in the order of the list, and those that it does not."""
    served: list[Any] = []
    others: list[Any] = []
    if request.HasField("after"):
        # By its place: `concat` and `+ 0` keep the planner from indexes of another order.
        if request.owner:
            others.append(Audit.owner.concat("") == request.owner)
        if request.owner and request.repo != "*":
            others.append(Audit.repo.concat("") == request.repo)
    elif request.owner and request.repo != "*":
        served = [Audit.owner == request.owner, Audit.repo == request.repo]
    elif request.owner:
        others.append(Audit.owner.concat("") == request.owner)
    if user_id and not served and not request.HasField("after"):
        served = [Audit.user_id == user_id]
    elif user_id:
        others.append(Audit.user_id + 0 == user_id)
    if request.environment:
        others.append(Audit.target == request.environment)
    if request.method:
        others.append(Audit.method == request.method)
    if request.outcome == "refused":
        others.append(Audit.code != "OK")
    elif request.outcome:
        others.append(Audit.code == ("OK" if request.outcome == "ok" else request.outcome))
    return served, others


def _times(since: int, until: int) -> list[Any]:
    found: list[Any] = [Audit.at >= since] if since else []
    return [*found, Audit.at < until] if until else found


def _checked(request: pb.ListAuditEventsRequest) -> tuple[int, int]:
    """The times, as milliseconds since 1970; 0: none. Raises Invalid."""
    faults = Faults()
    since = _whole_milliseconds("since", request.since, faults)
    until = _whole_milliseconds("until", request.until, faults)
    if request.environment:
        faults.target("environment", request.environment)
    if request.method:
        faults.name("method", request.method)
    if request.outcome and request.outcome not in _OUTCOMES:
        faults.add("outcome", f"{shown(request.outcome)}: wanted one of {', '.join(_OUTCOMES)}")
    if request.HasField("after"):
        if not 0 <= request.after < 2**62:
            faults.add("after", f"is {request.after}: wanted 0, or a `next_after`")
        if request.page_token:
            faults.add("page_token", "goes with the newest first: leave it out, or `after`")
    faults.refuse()
    return since, until


def _whole_milliseconds(field: str, time: Timestamp, faults: Faults) -> int:
    """The first millisecond that is not before the time."""
    return faults.time(field, time) + (time.nanos % 1_000_000 > 0)
