"""What the answer to a write shows a caller whose token may not read.

Such a token is told what it needs to go on: which build it is and what it is of, where it goes, how far it
and its stages are. What others wrote of it (parameters, messages, authors, links) is left out, as
GetBuild would refuse it; what the request itself said is not.
"""

from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The fields that are shown, by the message's name. A message that is not here is shown whole: what its rpc
# answers is not of a repository's builds, or, as a lease, what the token is for.
SHOWN = {
    "Build": _names(
        "id repo_id owner repo number parent origin status event after release deploy_to trigger retry_of"
        " started finished created updated version stages waiting_for warnings rollback_of rolled_back_by"
        " superseded_by verdicts"
    ),
    "Stage": _names(
        "id repo_id build_id number name kind type status machine os arch variant kernel limit throttle"
        " started stopped created updated version on_success on_failure depends_on"
    ),
    "Deployment": _names(
        "owner repo environment current in_flight last_failed uncertain waiting hold freeze declared"
    ),
    "Environment": _names("owner repo name rules_version version created updated"),
    "OwnerRules": _names("owner version"),
    "Secret": _names("id owner repo environment name pull_requests created updated version"),
    "Uncertain": _names("build stage machine since"),
    "Repository": _names("id user_id owner name slug visibility permissions created updated version"),
}


def bounded(answer: M, request: Message) -> M:
    """The answer without what a token without `read` is not shown; the request's own words stay."""
    if answer.DESCRIPTOR.name not in SHOWN:
        return answer
    kept = type(answer)()
    kept.CopyFrom(answer)
    _bound(kept, request)
    return kept


def _bound(answer: Message, request: Message) -> None:
    shown = SHOWN.get(answer.DESCRIPTOR.name)
    if shown is None:
        return
    for field, value in answer.ListFields():
        if field.name not in shown:
            _leave_said(answer, field, request)
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                _bound(part, request)


def _leave_said(answer: Message, field: FieldDescriptor, request: Message) -> None:
    """Takes a field away, but for what the request said in it."""
    value = getattr(answer, field.name)
    said = getattr(request, field.name, None)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in [key for key in value if said is None or key not in said or said[key] != value[key]]:
            del value[key]
    elif said is None or said != value:
        answer.ClearField(field.name)
