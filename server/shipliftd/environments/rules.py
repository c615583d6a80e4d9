"""The rules of an environment, as its admins say them: checked, stored, and read for the gates.

What is said is kept as the message's JSON, so that what a release does not know goes unharmed through it.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal, NamedTuple
from zoneinfo import available_timezones

import re2
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from shiplift.v1 import access_pb2
from shiplift.v1 import environments_pb2 as pb

from shipliftd.environments.freezes import parse_local, parse_weekly
from shipliftd.environments.gates import Rules
from shipliftd.errors import shown
from shipliftd.fields import PARAMETER, Faults, in_seconds, milliseconds

# What an environment's admins say of it. A change of the first ones changes the rules.
RULES = (
    "deployer",
    "promoters",
    "promoter_level",
    "required_approvals",
    "approvers",
    "approval_window",
    "requires",
    "soak",
    "allow_failed",
    "queue_policy",
    "freezes",
    "params",
    "overriders",
)
SAID = (*RULES, "link", "description", "confirm")

_MOST_LOGINS = 100
_MOST_FREEZES = 50
_MOST_WINDOWS = 20
_MOST_PARAMS = 100
_MOST_CHOICES = 100
# As of what is promoted, in bytes.
_MOST_VALUE = 32 * 1024
_MOST_TOTAL = 128 * 1024
# Of all that is said of an environment, as it is stored: the server remembers many of them.
_MOST_SAID = 256 * 1024
# RE2 takes as long as value and pattern are large: a fraction of a second, with these.
_MOST_MATCHED = 4096
_MOST_PATTERN_BYTES = 256 * 1024
_MOST_APPROVALS = 10
_DAY_MS = 24 * 60 * 60 * 1000
_WINDOW_MS = 7 * _DAY_MS
_QUEUES: Mapping[int, Literal["queue", "supersede", "reject"]] = {
    pb.QUEUE_POLICY_UNSPECIFIED: "queue",
    pb.QUEUE_POLICY_QUEUE: "queue",
    pb.QUEUE_POLICY_SUPERSEDE: "supersede",
    pb.QUEUE_POLICY_REJECT: "reject",
}


class Said(NamedTuple):
    """What is said of an environment, and of it what gates ask about."""

    message: pb.Environment
    rules: Rules


def stored(environment: pb.Environment) -> str:
    """What the store keeps of a message: what its admins say. Raises Invalid where that is too much."""
    kept = pb.Environment()
    kept.CopyFrom(environment)
    for field in pb.Environment.DESCRIPTOR.fields:
        if field.name not in SAID:
            kept.ClearField(field.name)
    text = json_format.MessageToJson(kept, preserving_proto_field_name=True, indent=None)
    faults = Faults()
    faults.long_text("environment", text, _MOST_SAID)
    faults.refuse()
    return text


@functools.lru_cache(maxsize=1024)
def said(text: str, version: int) -> Said:
    """What the store has of an environment. The message is shared: it is read, and never changed."""
    message = json_format.Parse(text, pb.Environment(), ignore_unknown_fields=True)
    rules = Rules(
        version=version,
        promoters=tuple(message.promoters),
        needs_admin=message.promoter_level == access_pb2.ACCESS_LEVEL_ADMIN,
        required_approvals=message.required_approvals,
        approvers=tuple(message.approvers),
        approval_window=milliseconds(message.approval_window) or _WINDOW_MS,
        requires=message.requires,
        soak=milliseconds(message.soak),
        allow_failed=message.allow_failed,
        queue=_QUEUES.get(message.queue_policy, "queue"),
    )
    return Said(message, rules)


def stored_owner(rules: pb.OwnerRules) -> str:
    """What the store keeps of the rules of an owner."""
    kept = pb.OwnerRules(freezes=rules.freezes)
    return json_format.MessageToJson(kept, preserving_proto_field_name=True, indent=None)


@functools.lru_cache(maxsize=256)
def said_owner(text: str) -> pb.OwnerRules:
    """What the store has of an owner; shared, as `said`'s."""
    return json_format.Parse(text, pb.OwnerRules(), ignore_unknown_fields=True)


def check(
    environment: pb.Environment,
    names: Collection[str],
    refuses: Callable[[str], bool],
    faults: Faults,
    at: str,
) -> None:
    """Adds the faults of what these fields say; `at` stands before their names.

    `refuses` says whether no parameter may be called so.
    """
    logins = {"promoters", "approvers", "overriders"}.intersection(names)
    for field in sorted(logins):
        for n, login in enumerate(faults.few(f"{at}{field}", getattr(environment, field), _MOST_LOGINS)):
            faults.name(f"{at}{field}[{n}]", login)
    if "deployer" in names:
        faults.word(f"{at}deployer", environment.deployer, pb.Deployer.values(), pb.Deployer.keys()[1:])
    if "promoter_level" in names:
        levels = (0, access_pb2.ACCESS_LEVEL_WRITE, access_pb2.ACCESS_LEVEL_ADMIN)
        words = ("ACCESS_LEVEL_WRITE", "ACCESS_LEVEL_ADMIN")
        faults.word(f"{at}promoter_level", environment.promoter_level, levels, words)
    if "queue_policy" in names:
        policies = pb.QueuePolicy
        faults.word(f"{at}queue_policy", environment.queue_policy, policies.values(), policies.keys()[1:])
    if "required_approvals" in names and not 0 <= environment.required_approvals <= _MOST_APPROVALS:
        faults.add(
            f"{at}required_approvals",
            f"is {environment.required_approvals}: wanted 0 to {_MOST_APPROVALS}",
        )
    for field, least in (("approval_window", 60_000), ("soak", 0)):
        if field in names and environment.HasField(field):
            _check_length(f"{at}{field}", getattr(environment, field), least, faults)
    if "requires" in names and environment.requires:
        faults.target(f"{at}requires", environment.requires)
        if environment.requires == environment.name:
            faults.add(f"{at}requires", "is the environment itself: name another one")
    for field in ("link", "description"):
        if field in names:
            faults.text(f"{at}{field}", getattr(environment, field), 2000)
    if "freezes" in names:
        check_freezes(f"{at}freezes", environment.freezes, faults)
    if "params" in names:
        _check_params(f"{at}params", environment.params, refuses, faults)


def _check_length(field: str, length: Duration, least: int, faults: Faults) -> None:
    if not least <= milliseconds(length) <= 365 * _DAY_MS:
        faults.add(field, f"is {in_seconds(length)}: wanted {least // 1000} s to 365 days")
    elif not 0 <= length.nanos < 1_000_000_000:
        faults.add(field, f"has {length.nanos} nanoseconds beside its seconds: wanted 0 to 999999999")


def check_freezes(field: str, freezes: Collection[pb.Freeze], faults: Faults) -> None:
    """Adds the faults of freezes."""
    few = faults.few(field, freezes, _MOST_FREEZES)
    _check_names(field, [freeze.name for freeze in few], faults)
    for n, freeze in enumerate(few):
        at = f"{field}[{n}]"
        faults.text(f"{at}.reason", freeze.reason, 2000)
        if freeze.zone not in _zones():
            faults.add(f"{at}.zone", f"{shown(freeze.zone)} is no IANA time zone: such as Europe/Berlin")
        begin, end = getattr(freeze, "from"), freeze.to
        if freeze.weekly:
            if begin or end:
                faults.add(f"{at}.weekly", "does not go with from and to: leave those out")
            for m, window in enumerate(faults.few(f"{at}.weekly", freeze.weekly, _MOST_WINDOWS)):
                for name in ("from", "to"):
                    value = getattr(window, name)
                    if parse_weekly(value) is None:
                        faults.add(f"{at}.weekly[{m}].{name}", f"{shown(value)}: wanted as 'Fri 16:00'")
            continue
        times = [parse_local(begin), parse_local(end)]
        for name, value, found in zip(("from", "to"), (begin, end), times, strict=True):
            if found is None:
                faults.add(
                    f"{at}.{name}",
                    f"{shown(value)}: wanted a time such as '2026-12-20T00:00', of 1970 to 9998",
                )
        if times[0] is not None and times[1] is not None and times[0] >= times[1]:
            faults.add(f"{at}.to", "is not after from")


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_params(
    field: str, params: Collection[pb.ParameterRule], refuses: Callable[[str], bool], faults: Faults
) -> None:
    few = faults.few(field, params, _MOST_PARAMS)
    _check_names(field, [rule.name for rule in few], faults)
    if (size := _size_of({rule.name: rule.default for rule in few})) > _MOST_TOTAL:
        faults.add(field, f"{size} bytes of names and defaults: at most {_MOST_TOTAL} (128 KiB)")
    for n, rule in enumerate(few):
        at = f"{field}[{n}]"
        if rule.name and PARAMETER.fullmatch(rule.name) is None:
            faults.add(
                f"{at}.name", f"{shown(rule.name)} is not a parameter's name: [A-Za-z_][A-Za-z0-9_]*"
            )
        elif refuses(rule.name):
            faults.add(
                f"{at}.name",
                f"{shown(rule.name)} is refused as a parameter, because a runner, a shell or a language"
                " obeys it: choose another",
            )
        faults.text(f"{at}.description", rule.description, 2000)
        faults.long_text(f"{at}.default", rule.default, _MOST_VALUE)
        if rule.secret and rule.default:
            faults.add(f"{at}.default", "is for all to see, and the parameter is secret: leave it out")
        for m, choice in enumerate(faults.few(f"{at}.choices", rule.choices, _MOST_CHOICES)):
            faults.text(f"{at}.choices[{m}]", choice, 1000)
        faults.text(f"{at}.pattern", rule.pattern, 1000)
        if len(rule.pattern) > 1000:
            # That is said already, and RE2 is not to read it.
            continue
        if wrong := _fault_of(rule.pattern):
            faults.add(f"{at}.pattern", f"is not a regular expression that RE2 reads: {wrong}")
        elif rule.default and (lack := _lack(rule, rule.default)):
            faults.add(f"{at}.default", lack)


def _check_names(field: str, names: Iterable[str], faults: Faults) -> None:
    seen: set[str] = set()
    for n, name in enumerate(names):
        if not name:
            faults.add(f"{field}[{n}].name", "is empty")
        elif name in seen:
            faults.add(f"{field}[{n}].name", f"{shown(name)} stands there twice")
        faults.text(f"{field}[{n}].name", name, 256)
        seen.add(name)


def completed(rules: Iterable[pb.ParameterRule], given: Mapping[str, str]) -> dict[str, str]:
    """The parameters with the defaults of those that are not given."""
    defaults = {rule.name: rule.default for rule in rules if rule.default and rule.name not in given}
    return {**given, **defaults}


def lacking(
    rules: Iterable[pb.ParameterRule], params: Mapping[str, str], masked: Collection[str] = ()
) -> tuple[str, ...]:
    """What parameters lack, a sentence each; never a value, which may be secret.

    Of those that are masked nobody knows more than that they were given.
    """
    found = []
    if len(params) > _MOST_PARAMS:
        found.append(f"with the defaults they are {len(params)}: at most {_MOST_PARAMS}")
    elif (size := _size_of(params)) > _MOST_TOTAL:
        found.append(f"with the defaults they have {size} bytes: at most {_MOST_TOTAL} (128 KiB)")
    for rule in rules:
        value = params.get(rule.name)
        if value is None:
            if rule.required and rule.name not in masked:
                means = f" ({rule.description})" if rule.description else ""
                found.append(f"{rule.name}{means} is missing")
        elif lack := _lack(rule, value):
            found.append(f"{rule.name} {lack}")
    return tuple(found)


def _lack(rule: pb.ParameterRule, value: str) -> str:
    if rule.choices and value not in rule.choices:
        return f"is none of {', '.join(rule.choices[:20])}"
    if rule.pattern and len(value) > _MOST_MATCHED:
        return f"has {len(value)} characters: a pattern is for at most {_MOST_MATCHED}"
    if rule.pattern and _compiled(rule.pattern).fullmatch(value) is None:
        return f"does not match {rule.pattern}"
    return ""


def _size_of(params: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in params.items())


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    # It would write to standard error itself.
    options.log_errors = False
    options.max_mem = _MOST_PATTERN_BYTES
    # With them RE2 is many times slower, and nobody asks for them.
    options.never_capture = True
    return re2.compile(pattern, options)


def _fault_of(pattern: str) -> str:
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0]
        return told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    return ""
