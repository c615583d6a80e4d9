"""What holders report is stored without the secrets that their leases gave, whatever they send."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import TypeVar

from shiplift.masking import Masker
from shiplift.v1 import builds_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.api.lease_plans import LeasePlans
from shipliftd.errors import Invalid
from shipliftd.stages import leases
from shipliftd.stages.leases import Work
from shipliftd.store import Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# The most stages and steps that are remembered; of others the secrets are opened again.
_MOST = 10_000
# How long a text may be; where the mask makes it longer, its end is cut.
_TEXTS = {"error": 2000, "message": 2000, "link": 2000, "image": 1000, "name": 100}

_Report = builds_pb2.UpdateBuildRequest | pb.UpdateStageRequest | pb.UpdateStepRequest | pb.StepReport


class ReportMasking:
    """Knows the secrets of leases: those that were given here, and else looks what they are."""

    def __init__(self, store: Store, plans: LeasePlans) -> None:
        self._store = store
        self._plans = plans
        # By the ids of stages, and of steps.
        self._values: OrderedDict[int, frozenset[str]] = OrderedDict()
        self._stages: OrderedDict[int, int] = OrderedDict()
        self._maskers: OrderedDict[frozenset[str], Masker] = OrderedDict()

    def gave(self, stage_id: int, work: Work) -> None:
        """Remembers what a lease gave; what it gave before stays."""
        values = self._values.get(stage_id, frozenset()).union(work.secrets.values(), work.params.values())
        _put(self._values, stage_id, values)

    async def build(self, caller: Caller, request: builds_pb2.UpdateBuildRequest) -> None:
        """Masks a report of a build, by the leases of all of its stages."""
        if not (request.message or request.link):
            return
        stages = await self._store.read(leases.given_of, caller.repo_id, request.build)
        values = [await self._values_of(stage_id, 0) for stage_id in stages]
        _mask(self._masker(frozenset().union(*values)), (request,))

    async def stage(self, request: pb.UpdateStageRequest) -> None:
        """Masks a report."""
        values = await self._values_of(request.stage_id, 0)
        _mask(self._masker(values), (request, *request.steps))

    async def step(self, request: pb.UpdateStepRequest) -> None:
        """Masks a report."""
        _mask(self._masker(await self._values_of(0, request.step_id)), (request,))

    async def log(self, request: pb.AppendLogRequest) -> None:
        """Masks lines."""
        masker = self._masker(await self._values_of(0, request.step_id))
        if not masker:
            return
        texts = masker.texts([line.text for line in request.lines])
        for line, text in zip(request.lines, texts, strict=True):
            if text != line.text:
                line.text = text

    async def _values_of(self, stage_id: int, step_id: int) -> frozenset[str]:
        """What was given with a stage, or with that of a step."""
        stage_id = stage_id or self._stages.get(step_id, 0)
        if stage_id not in self._values:
            leased = await self._store.read(leases.reported, stage_id, step_id)
            if leased is None:
                # There is no such stage, or nobody was given anything.
                return frozenset()
            stage_id = leased.id
            if stage_id not in self._values:
                try:
                    self.gave(stage_id, await self._plans.work(leased))
                except Invalid:
                    # It was given nothing either.
                    return frozenset()
        if step_id:
            _put(self._stages, step_id, stage_id)
        return self._values[stage_id]

    def _masker(self, values: frozenset[str]) -> Masker:
        masker = self._maskers.get(values) or Masker(values)
        _put(self._maskers, values, masker)
        return masker


def _mask(masker: Masker, reports: Iterable[_Report]) -> None:
    for report in reports if masker else ():
        for name, most in _TEXTS.items():
            text = getattr(report, name, "")
            masked = masker.text(text)
            if masked != text:
                setattr(report, name, masked if len(text) > most else masked[:most])


def _put(remembered: OrderedDict[K, V], key: K, value: V) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    if len(remembered) > _MOST:
        remembered.popitem(last=False)
