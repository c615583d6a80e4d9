"""What the holder of a stage is to do: made once a lease, beside the event loop, and remembered.

All of it can be made again from the lease, so what is forgotten costs time alone.
"""

import asyncio
import functools
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from shiplift.v1 import stages_pb2

from shipliftd.api import messages
from shipliftd.errors import Invalid
from shipliftd.pipelines import needs, plans
from shipliftd.pipelines.resolved import resolved
from shipliftd.secrets import given
from shipliftd.secrets.given import Opened
from shipliftd.secrets.keys import Keyring
from shipliftd.stages import build_stages
from shipliftd.stages.leases import Leased, Work
from shipliftd.store.ahead import ahead
from shipliftd.store.models import FAILED

_MOST_KEPT_BYTES = 32 * 1024 * 1024
# With fewer bytes and less to put in, making a plan takes less than handing it to a thread and back.
_SMALL_BYTES = 16 * 1024
_SMALL_WORK = 200_000

_Key = tuple[int, bytes | None, bool, str]
_Found = str | stages_pb2.Plan | Invalid


class LeasePlans:
    """The plans of leases with the secrets in them, and their files for Drone's runners."""

    def __init__(self, system: plans.SystemFacts, keyring: Keyring) -> None:
        """Prepares it; the thread starts with the first plan that needs it."""
        self._keyring = keyring
        # One, so that plans that are much work wait for each other and not the loop for them all.
        self._system = system
        self._thread = ThreadPoolExecutor(1, "plans")
        self._remembered: OrderedDict[_Key, tuple[_Found, int]] = OrderedDict()
        self._bytes = 0

    def within(self, leased: Leased) -> Work:
        """What the runner does of a lease that is just being made, in a verb. Raises Invalid."""
        params = self._secret_params(leased)
        common = self._environment(leased, params)
        if _is_small(leased):
            return self._work(leased, common, params, _steps(leased, common))
        # With other values it would be another one: what is current may change between two runs.
        key = ("plan", leased.id, *common.items())
        made = ahead(key, lambda: _found(lambda: _steps(leased, common)))
        return self._work(leased, common, params, made)

    async def work(self, leased: Leased) -> Work:
        """What its runner does; its environment as things stand now. Raises Invalid."""
        params = self._secret_params(leased)
        common = self._environment(leased, params)
        made = await self._once(leased, False, lambda: _steps(leased, common))
        return self._work(leased, common, params, made)

    def _environment(self, leased: Leased, params: Mapping[str, str]) -> dict[str, str]:
        all_params = {**messages.params(leased.whole.build), **params}
        return plans.environment(_inputs(leased, self._system), all_params)

    def _secret_params(self, leased: Leased) -> Mapping[str, str]:
        """The build's secret parameters. Raises Invalid where one does not open."""
        return _all_open(given.params(self._keyring, leased.whole.build), "params")

    def _work(
        self, leased: Leased, common: dict[str, str], params: Mapping[str, str], steps: _Found
    ) -> Work:
        """The plan of these steps, with what is secret. Raises Invalid where there is none."""
        plan = _whole(common, steps)
        wanted = _wanted(leased, plan) if leased.secrets else set()
        rows = {name: row for name, row in leased.secrets.items() if name in wanted}
        return Work(plan, _all_open(given.opened(self._keyring, rows), "secrets"), params)

    async def file(self, leased: Leased) -> str:
        """The pipeline file as Drone's runners take it; '' where there is none. Raises Invalid."""
        if not leased.text:
            return ""
        common = self._environment(leased, self._secret_params(leased))
        made = await self._once(leased, True, lambda: resolved(leased.text, leased.stage.name, common))
        if isinstance(made, Invalid):
            raise made
        return str(made)

    async def _once(
        self, leased: Leased, is_file: bool, make: Callable[[], str | stages_pb2.Plan]
    ) -> _Found:
        # Without its secret parameters it is another one.
        key = (leased.id, leased.stage.lease_hash, is_file, leased.whole.build.sealed_params)
        if key in self._remembered:
            self._remembered.move_to_end(key)
            found = self._remembered[key][0]
        else:
            found = await self._made(make, at_once=not is_file and _is_small(leased))
            self._remember(key, found)
        return found

    async def _made(self, make: Callable[[], str | stages_pb2.Plan], at_once: bool) -> _Found:
        if at_once:
            return _found(make)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _found, make)

    def _remember(self, key: _Key, found: _Found) -> None:
        size = found.ByteSize() if isinstance(found, stages_pb2.Plan) else len(str(found))
        if key not in self._remembered:
            self._bytes += size
            self._remembered[key] = (found, size)
        while self._bytes > _MOST_KEPT_BYTES:
            self._bytes -= self._remembered.popitem(last=False)[1][1]


def _found(make: Callable[[], str | stages_pb2.Plan]) -> _Found:
    try:
        return make()
    except Invalid as error:
        return error


def _whole(common: dict[str, str], steps: _Found) -> stages_pb2.Plan:
    """The plan of these steps. Raises Invalid where there are none."""
    if isinstance(steps, Invalid):
        raise steps
    assert isinstance(steps, stages_pb2.Plan)  # noqa: S101
    plan = stages_pb2.Plan(environment=common)
    plan.MergeFrom(steps)
    return plan


def _all_open(found: Opened, field: str) -> Mapping[str, str]:
    """The values. Raises Invalid, naming those that do not open."""
    if found.lost:
        raise Invalid(
            [(f"{field}[{name}]", f"cannot be opened: {why}") for name, why in found.lost.items()]
        )
    return found.values


def _wanted(leased: Leased, plan: stages_pb2.Plan) -> set[str]:
    """The names of the secrets that a stage is to have."""
    found = {name for step in plan.steps for name in step.secrets.values()}
    said = leased.said
    pipeline = said.find(leased.stage.name) if said is not None else None
    if said is None or pipeline is None:
        return found
    facts = build_stages.facts(leased.whole.build, f"{leased.whole.owner}/{leased.whole.repo}", said)
    # Where they stand beside the environments of its steps, too, as in the settings of Drone's plugins.
    make = functools.partial(needs.secrets, said, [pipeline], facts)
    return found | build_stages.beside(said, ("secrets of", pipeline.name, facts), make).keys()


def _is_small(leased: Leased) -> bool:
    build = leased.whole.build
    values = len(build.params) + len(build.message) + _SMALL_BYTES // 16
    return len(leased.text) <= _SMALL_BYTES and leased.text.count("$") * values <= _SMALL_WORK


def _steps(leased: Leased, common: dict[str, str]) -> stages_pb2.Plan:
    said = leased.said
    pipeline = said.find(leased.stage.name) if said is not None else None
    if said is None or pipeline is None:
        return messages.plan(None, ())
    facts = build_stages.facts(leased.whole.build, f"{leased.whole.owner}/{leased.whole.repo}", said)
    return messages.plan(pipeline, plans.steps(pipeline, facts, common))


def _inputs(leased: Leased, system: plans.SystemFacts) -> plans.Inputs:
    build, repository, stage = leased.whole.build, leased.repository, leased.stage
    failed = tuple(each.name for each in leased.whole.stages if each.status in FAILED)
    return plans.Inputs(
        build=plans.BuildFacts(
            number=build.number,
            parent=build.parent,
            event=build.event,
            action=build.action,
            status="failure" if failed else "success",
            created=build.created // 1000,
            started=build.started // 1000,
            finished=build.finished // 1000,
            link=build.link,
            title=build.title,
            message=build.message,
            before=build.before,
            after=build.after,
            ref=build.ref,
            source=build.source,
            target=build.target,
            deploy_to=build.deploy_to,
            author_login=build.author_login,
            author_name=build.author_name,
            author_email=build.author_email,
            author_avatar=build.author_avatar,
            trigger=build.trigger,
            failed_stages=failed,
            origin=build.origin or build.number,
            release=build.release,
            external_id=build.external_id or "",
            artifacts=tuple(plans.Artifact(*each) for each in json.loads(build.artifacts)),
            previous=plans.Previous(leased.current.number, leased.current.release, leased.current.after)
            if leased.current is not None
            else plans.Previous(),
            traceparent=build.traceparent or "",
        ),
        repository=plans.RepositoryFacts(
            owner=repository.owner,
            name=repository.name,
            scm=repository.scm,
            link=repository.link,
            branch=repository.default_branch,
            visibility=repository.visibility,
            private=repository.visibility != "public",
            git_http_url=repository.git_http_url,
            git_ssh_url=repository.git_ssh_url,
        ),
        stage=plans.StageFacts(
            number=stage.number,
            name=stage.name,
            kind=stage.kind,
            type=stage.type,
            machine=stage.machine,
            os=stage.os,
            arch=stage.arch,
            variant=stage.variant,
            status="failure" if failed else "success",
            started=stage.started // 1000,
            depends_on=tuple(messages.texts(stage.depends_on)),
        ),
        system=system,
    )
