"""The stages of a build: those of its pipeline file that match it, or fresh copies of its parent's."""

import functools
import hashlib
from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, TypeVar

from shipliftd import pipelines
from shipliftd.enum_words import as_json
from shipliftd.errors import Precondition
from shipliftd.pipelines import Pipelines, matching, needs
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.matching import MatchedStage
from shipliftd.secrets import given
from shipliftd.stages import flow
from shipliftd.store.ahead import ahead
from shipliftd.store.compiled import Compiled, arg, inserting
from shipliftd.store.models import Pipeline
from shipliftd.store.rows import BuildRow, StageRow
from shipliftd.store.transaction import Reader, Transaction

T = TypeVar("T")

# What is more is done beside the loop: so much takes some 3 ms.
_MOST_WORK = 2000
_MOST_TEXT = 16 * 1024

_BY_HASH = Compiled(Pipeline.select(Pipeline.id).where(Pipeline.hash == arg(0)))
_WHOLE = Compiled(Pipeline.select(Pipeline.text, Pipeline.parsed).where(Pipeline.id == arg(0)))
_PARSED = Compiled(Pipeline.select(Pipeline.parsed).where(Pipeline.id == arg(0)))
_INSERT = inserting(Pipeline)


def store_pipeline(tx: Transaction, text: str, parsed: Pipelines) -> int:
    """Stores a pipeline file, unless it is there, and returns its id."""
    digest = hashlib.sha256(text.encode()).digest()
    row = _BY_HASH.one(tx, digest)
    if row is not None:
        found: int = row[0]
        return found
    dump = functools.partial(pipelines.dump, parsed)
    dumped = beside(parsed, ("dumped", digest), dump)
    return _INSERT.insert(tx, digest, text, dumped)


def pipeline(reader: Reader, pipeline_id: int | None) -> tuple[str, Pipelines | None]:
    """A pipeline file, and what it says; '' and None where there is none."""
    if pipeline_id is None:
        return "", None
    text, parsed = _WHOLE.one(reader, pipeline_id)
    return text, _loaded(parsed)


def said_by(reader: Reader, pipeline_id: int | None) -> Pipelines | None:
    """What a pipeline file says, without its text; a promotion parses no YAML."""
    return None if pipeline_id is None else _loaded(_PARSED.one(reader, pipeline_id)[0])


class _Remembered:
    """What stored files say, of those used last and of so many characters together.

    By what was parsed and not by the id, which another file gets when a transaction is rolled back.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._remembered: dict[str, Pipelines] = {}

    def loaded(self, text: str) -> Pipelines:
        said = self._remembered.pop(text, None)
        if said is None:
            load = functools.partial(pipelines.load, text)
            said = load() if len(text) <= _MOST_TEXT else ahead(("loaded", text), load)
            self._left -= len(text)
            while self._left < 0 and self._remembered:
                self._left += len(oldest := next(iter(self._remembered)))
                del self._remembered[oldest]
        self._remembered[text] = said
        return said


_loaded = _Remembered(8 * 1024 * 1024).loaded


def facts(build: BuildRow, slug: str, said: Pipelines) -> Facts:
    """What the conditions of a file ask of a build.

    A file that knows no rollbacks does for one what it does for a promotion. Drone would do nothing, but
    whoever rolls back has no time to change the file.
    """
    is_known = build.event != "rollback" or said.speaks_of_rollbacks
    return Facts(
        branch=build.target,
        event=build.event if is_known else "promote",
        action=build.action,
        ref=build.ref,
        repo=slug,
        target=build.deploy_to,
        cron=build.cron,
    )


def again(
    build: BuildRow, slug: str, stages: Iterable[StageRow], parsed: Pipelines | None, at: int
) -> list[StageRow]:
    """The stages of a new build, to be done: from its file, else those of the build that it stands on.

    Raises Precondition where no stage would begin, and what `matching.match` raises.
    """
    if parsed is None:
        begun = flow.begin([_fresh(stage, at) for stage in stages])
    else:
        matched = _matched(parsed, facts(build, slug, parsed))
        begun = flow.begin([_of_file(stage, build.repo_id, at) for stage in matched])
    if not any(stage.status == "pending" for stage in begun):
        names = [stage.name for stage in begun]
        raise Precondition(
            f"no stage would begin, as each does so only after a failure: {', '.join(names[:10])}",
            reason="NO_STAGE_BEGINS",
            violations=[(name, "begins only after a failure") for name in names],
            metadata={"environment": build.deploy_to},
        )
    return begun


class Place(Protocol):
    """A repository as it is when a build begins."""

    @property
    def slug(self) -> str:
        """Its owner and name."""

    @property
    def runner_secrets(self) -> bool:
        """Whether its runners bring the secrets themselves."""

    @property
    def git_http_url(self) -> str:
        """Where it is cloned."""


def lacking(
    reader: Reader, place: Place, build: BuildRow, stages: Iterable[StageRow], said: Pipelines
) -> list[str]:
    """What to warn of that a new build's stages need and there is not. Raises Precondition for secrets."""
    named = [said.find(stage.name) for stage in stages if stage.kind == "pipeline"]
    found = [pipeline for pipeline in named if pipeline is not None]
    slug = place.slug
    if not place.runner_secrets:
        asked = facts(build, slug, said)
        wanted = beside(said, ("secrets", asked), functools.partial(needs.secrets, said, found, asked))
        if wanted:
            _require_secrets(reader, slug, build, wanted)
    warning = "" if place.git_http_url else needs.clone_warning(slug, found)
    return [warning] if warning else []


def _require_secrets(reader: Reader, slug: str, build: BuildRow, wanted: dict[str, list[str]]) -> None:
    owner, _, repo = slug.partition("/")
    where = (reader, owner, repo, build.deploy_to)
    there = given.available(*where, given.is_of_pull_request(build))
    missing = {name: by for name, by in wanted.items() if name not in there}
    needs.require_secrets(slug, missing, given.withheld(*where) if missing else ())


def _matched(parsed: Pipelines, asked: Facts) -> list[MatchedStage]:
    found = beside(parsed, ("matched", asked), functools.partial(_match, parsed, asked))
    if isinstance(found, Precondition):
        raise found
    return found


def beside(parsed: Pipelines, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` finds out from a file: at once where that is little, else beside the loop."""
    return make() if parsed.work <= _MOST_WORK else ahead(key, make)


def _match(parsed: Pipelines, asked: Facts) -> list[MatchedStage] | Precondition:
    try:
        return matching.match(parsed, asked)
    except Precondition as refusal:
        return refusal


def _fresh(stage: StageRow, at: int) -> StageRow:
    return stage._replace(
        error="",
        exit_code=0,
        # Of a stage that was taken it is its runner's.
        machine=stage.machine if stage.lease_hash is None else "",
        started=0,
        stopped=0,
        created=at,
        updated=at,
        version=1,
        message="",
        link="",
        lease_hash=None,
        lease_token_id=0,
        lease_expires=0,
    )


def _of_file(stage: MatchedStage, repo_id: int, at: int) -> StageRow:
    return StageRow(
        id=0,
        repo_id=repo_id,
        build_id=0,
        number=stage.number,
        name=stage.name,
        kind=stage.kind,
        type=stage.type,
        status="pending",
        error="",
        errignore=False,
        exit_code=0,
        machine="",
        os=stage.os,
        arch=stage.arch,
        variant=stage.variant,
        kernel=stage.kernel,
        limit=stage.limit,
        throttle=0,
        started=0,
        stopped=0,
        created=at,
        updated=at,
        version=1,
        on_success=stage.on_success,
        on_failure=stage.on_failure,
        depends_on=as_json(list(stage.depends_on)),
        labels=as_json(dict(stage.labels)),
        message="",
        link="",
        lease_hash=None,
        lease_token_id=0,
        lease_expires=0,
    )
