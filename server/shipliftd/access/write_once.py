"""What every write does around its verb: answering a repeated request_id, and the audit.

Both happen in the verb's own transaction: a write without its audit row, or a request_id without its
resource, cannot be stored.
"""

import functools
import hmac
import json
from collections.abc import Callable
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast

from google.protobuf.message import Message

from shipliftd.access.callers import Caller
from shipliftd.canonical import canonical
from shipliftd.clock import now
from shipliftd.errors import AlreadyExists, Invalid, Refusal
from shipliftd.fields import Faults
from shipliftd.store.compiled import Compiled, arg, inserting
from shipliftd.store.models import Audit, Hold, OwnerRules, Repository, Request, User
from shipliftd.store.secret import mac
from shipliftd.store.transaction import Kind, Reader, Transaction


class _Row(Protocol):
    @property
    def id(self) -> int:
        """What it is found by again."""


Resource = _Row | Repository | User | Hold | OwnerRules


class _Repeatable(Protocol):
    """Every write's request."""

    request_id: str


R = TypeVar("R", bound=Resource)
Q = TypeVar("Q", bound=Message)
P = ParamSpec("P")


class Written(NamedTuple, Generic[R]):
    """What a write made, and whether an earlier call had already made it."""

    resource: R
    replayed: bool = False
    # What the audit says of it beside the request.
    noted: str = ""


_FIND = Compiled(
    Request.select(Request.fingerprint, Request.resource_id).where(
        Request.user == arg(0), Request.method == arg(1), Request.request_id == arg(2)
    )
)
_INSERT_REQUEST = inserting(Request)
# Its place in the chain comes later.
_AUDIT = inserting(Audit, "seq", "hash")

Verb = Callable[Concatenate[Transaction, Caller, Q, P], Written[R]]


def admitted(_tx: Transaction, _caller: Caller, _request: Message) -> None:
    """The `look` of a write of which the interceptor has seen all that there is to see."""


def write(
    load: Callable[[Transaction, Caller, int], R],
    look: Callable[[Transaction, Caller, Any], None],  # of the verb's own request
    tells: Kind | None = None,
) -> Callable[[Verb[Q, P, R]], Verb[Q, P, R]]:
    """Makes a verb answer a request_id that it has seen, and stand in the audit.

    `look` raises where the caller may not do this, for what the interceptor cannot see: a verb leaves it
    to this, so that a repeated request_id is looked at as the first call was. It runs before the request
    is checked, which may hold anything therefore. `load` reads the resource that the first call made, as
    it stands now. `tells` is what others are told of once it is on disk. The verb raises AlreadyExists when
    the id was used with another request.
    """

    def decorate(verb: Verb[Q, P, R]) -> Verb[Q, P, R]:
        @functools.wraps(verb)
        def run(
            tx: Transaction, caller: Caller, request: Q, *args: P.args, **kwargs: P.kwargs
        ) -> Written[R]:
            look(tx, caller, request)
            if tells is not None:
                tx.tell(tells)
            request_id = cast(_Repeatable, request).request_id
            if not request_id:
                written = verb(tx, caller, request, *args, **kwargs)
                audit(tx, caller, request, written.resource, noted=written.noted)
                return written
            mark = fingerprint(tx, request)
            # What no text of PostgreSQL's can hold was never stored; the checks behind tell of it.
            is_text = "\0" not in request_id
            seen = _FIND.one(tx, caller.user_id, caller.method, request_id) if is_text else None
            if seen is not None:
                if not hmac.compare_digest(seen[0], mark):
                    raise AlreadyExists(
                        f"request_id {request_id!r} was used for another {caller.method}: use a new"
                        " one for a new request, and the old one only to repeat it unchanged",
                        reason="REQUEST_ID_TAKEN",
                        metadata={"method": caller.method, "request_id": request_id},
                    )
                return Written(load(tx, caller, seen[1]), replayed=True)
            faults = Faults()
            try:
                written = verb(tx, caller, request, *args, **kwargs)
            except Invalid as error:
                # All faults of a request are told together, the verb's and this one.
                faults = Faults(error.violations)
            faults.request_id(request_id)
            faults.refuse()
            made = written.resource
            _INSERT_REQUEST.put(tx, caller.user_id, caller.method, request_id, mark, made.id, now())
            audit(tx, caller, request, made, noted=written.noted)
            return written

        return cast(Verb[Q, P, R], run)

    return decorate


def audit(
    tx: Transaction,
    caller: Caller,
    request: Message,
    made: Resource | None = None,
    refusal: Refusal | None = None,
    noted: str = "",
) -> None:
    """Notes a write with what its verb has noted, or a refused one with its code and public reason."""
    code, reason, verdicts = "OK", noted[:2000], "[]"
    if refusal is not None:
        code, reason, verdicts = refusal.code.name, refusal.status().message, refusal.verdicts
    # Of a lease the build that its stage is of.
    whole = getattr(made, "whole", made)
    build = getattr(whole, "build", None)
    if build is not None and caller.method in _JUDGED:
        verdicts = build.verdicts
    # A refused request may hold anything, so what is kept of it is cut.
    _AUDIT.put(
        tx,
        now(),
        caller.user_id,
        caller.token_id,
        caller.method,
        _text(request, "owner", 100) or getattr(whole, "owner", ""),
        _text(request, "repo", 100) or getattr(whole, "repo", ""),
        0 if made is None else made.id,
        # What was refused made nothing: it is where the request would have gone.
        getattr(whole, "environment", "") or _text(request, _TO_ENVIRONMENT.get(caller.method, ""), 100),
        _text(request, "request_id", 128),
        code,
        reason or _text(request, "reason" if caller.method == "HoldEnvironment" else "comment", 2000),
        caller.address,
        caller.client,
        verdicts,
        getattr(request, "build", 0) if build is None else build.number,
    )


# Of what these make gates have said something.
_JUDGED = frozenset({"PromoteBuild", "RollbackBuild", "RetryBuild", "ApproveBuild", "DeclineBuild"})
# Of these rpcs `target` is an environment; of others it is a git branch.
_TO_ENVIRONMENT = {
    "PromoteBuild": "target",
    "RollbackBuild": "target",
    "SettleEnvironment": "environment",
    "CreateEnvironment": "environment.name",
    "UpdateEnvironment": "environment.name",
    "DeleteEnvironment": "environment",
    "HoldEnvironment": "environment",
    "ResumeEnvironment": "environment",
    "SetSecret": "environment",
    "DeleteSecret": "environment",
}


def _text(request: Message, field: str, most: int) -> str:
    value: Any = request if field else ""
    for name in field.split(".") if field else ():
        value = getattr(value, name, "")
    return value[:most].replace("\0", "") if value else ""


def fingerprint(reader: Reader, request: Message) -> bytes:
    """What tells whether two requests are the same, their request_id aside.

    An HMAC of a form of our own: protobuf's bytes differ between languages and releases.
    """
    text = json.dumps(canonical(request, leave_out="request_id"), separators=(",", ":"))
    return mac(reader, text)
