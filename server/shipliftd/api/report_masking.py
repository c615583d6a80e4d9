"""What holders report is stored without the secrets that their leases gave, whatever they send."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import TypeVar

from shiplift.masking import Masker
from shiplift.v1 import stages_pb2 as pb

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

_Report = pb.UpdateStageRequest | pb.UpdateStepRequest | pb.StepReport


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

    async def stage(self, request: pb.UpdateStageRequest) -> None:
        """Masks a report."""
        masker = await self._masker(request.stage_id, 0)
        if masker:
            _mask(masker, (request, *request.steps))

    async def step(self, request: pb.UpdateStepRequest) -> None:
        """Masks a report."""
        masker = await self._masker(0, request.step_id)
        if masker:
            _mask(masker, (request,))

    async def log(self, request: pb.AppendLogRequest) -> None:
        """Masks lines."""
        masker = await self._masker(0, request.step_id)
        if masker:
            for line in request.lines:
                text = masker.text(line.text)
                if text is not line.text:
                    line.text = text

    async def _masker(self, stage_id: int, step_id: int) -> Masker:
        stage_id = stage_id or self._stages.get(step_id, 0)
        if stage_id not in self._values:
            leased = await self._store.read(leases.reported, stage_id, step_id)
            if leased is None:
                # There is no such stage, or nobody was given anything.
                return _NONE
            stage_id = leased.id
            if stage_id not in self._values:
                try:
                    self.gave(stage_id, await self._plans.work(leased))
                except Invalid:
                    # It was given nothing either.
                    return _NONE
        if step_id:
            _put(self._stages, step_id, stage_id)
        values = self._values[stage_id]
        if not values:
            return _NONE
        masker = self._maskers.get(values)
        if masker is None:
            masker = Masker(values)
        _put(self._maskers, values, masker)
        return masker


_NONE = Masker(())


def _mask(masker: Masker, reports: Iterable[_Report]) -> None:
    for report in reports:
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
