"""Builds that somebody asks the server to run: what they leave out is taken from their branch's newest."""

from shiplift.v1 import builds_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.errors import Precondition, shown
from shipliftd.pipelines import Pipelines
from shipliftd.stages import said_by
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Repository
from shipliftd.store.transaction import Reader

# No index leads past promotions and restarts to what was recorded, so that few are looked at.
_MOST_LOOKED_AT = 1000
_OF_COMMIT = (
    *("after", "before", "message", "title", "link"),
    *("author_login", "author_name", "author_email", "author_avatar"),
)
_NEWEST = (
    Build.select(Build)
    .where(Build.repo == arg(0), Build.ref == arg(1))
    .order_by(Build.number.desc())
    .limit(_MOST_LOOKED_AT)
    .alias("newest")
)
_RECORDED = (_NEWEST.c.parent == 0) & (_NEWEST.c.retry_of == 0)
_COMMIT = Compiled(
    Build.select(*(getattr(_NEWEST.c, field) for field in _OF_COMMIT))
    .from_(_NEWEST)
    .where(_RECORDED, _NEWEST.c.after != "")
    .order_by(_NEWEST.c.number.desc())
    .limit(1)
)
_FILE = Compiled(
    Build.select(_NEWEST.c.pipeline_id)
    .from_(_NEWEST)
    .where(_RECORDED, _NEWEST.c.pipeline_id.is_null(False))
    .order_by(_NEWEST.c.number.desc())
    .limit(1)
)


def completed(reader: Reader, caller: Caller, request: pb.CreateBuildRequest) -> pb.CreateBuildRequest:
    """The request with its branch and its commit. Raises Precondition where there is no commit to take."""
    branch = request.target or _default_branch(reader, caller)
    whole = pb.CreateBuildRequest()
    whole.CopyFrom(request)
    whole.target = branch
    whole.source = request.source or branch
    whole.ref = request.ref or _ref(branch)
    if request.after:
        return whole
    row = _COMMIT.one(reader, caller.repo_id, _ref(branch))
    if row is None:
        raise Precondition(
            f"there is no commit to build: none is named, and no build of the branch {shown(branch)} with"
            " one is recorded. Name the commit (`after`), or record a build of the branch first",
            reason="NO_COMMIT",
            violations=[("after", "is empty, and the branch has no build to take it from")],
            metadata={"branch": branch},
        )
    for field, value in zip(_OF_COMMIT, row, strict=True):
        setattr(whole, field, getattr(request, field) or value)
    return whole


def pipeline_of(reader: Reader, caller: Caller, branch: str) -> tuple[int, Pipelines]:
    """The newest pipeline file recorded for the branch, else for the default one. Raises Precondition."""
    default = _default_branch(reader, caller)
    for name in dict.fromkeys((branch, default)):
        row = _FILE.one(reader, caller.repo_id, _ref(name))
        if row is not None:
            said = said_by(reader, row[0])
            assert said is not None  # noqa: S101  # a build points to it
            return row[0], said
    raise Precondition(
        f"there is nothing to run: no pipeline file is recorded for the branch {shown(branch)} or the"
        f" default branch {shown(default)}. Record a build with one (`pipeline`; `shiplift record` sends"
        " .drone.yml)",
        reason="NO_PIPELINE",
        violations=[("pipeline", "is empty, and no build of the branch has one")],
        metadata={"branch": branch},
    )


def _default_branch(reader: Reader, caller: Caller) -> str:
    name: str = reader.by_id(Repository, caller.repo_id).default_branch
    return name


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"
