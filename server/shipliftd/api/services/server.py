"""ServerService."""

from shiplift.v1 import server_pb2 as pb
from shiplift.v1.server_pb2_grpc import ServerServiceServicer

from shipliftd import __version__
from shipliftd.api.services import Context
from shipliftd.builds import parameters, recording
from shipliftd.descriptors import MOST_REQUEST
from shipliftd.pipelines import documents
from shipliftd.settings import Settings
from shipliftd.stages import leases, step_logs
from shipliftd.store import pages

# What every server of this release can do.
_FEATURES = ("deployers", "logs", "pipelines", "retries", "runners")


class ServerService(ServerServiceServicer):
    """What the server is and takes; see `server.proto`."""

    def __init__(self, settings: Settings) -> None:
        set_up = {"http": settings.http is not None, "netrc": settings.netrc_file is not None}
        self._info = pb.ServerInfo(
            version=__version__,
            features=sorted([*_FEATURES, *(word for word, there in set_up.items() if there)]),
            limits=pb.ServerLimits(
                page_size=pages.MOST_SIZE,
                default_page_size=pages.DEFAULT_SIZE,
                page_bytes=pages.MOST_BYTES,
                params=parameters.MOST_COUNT,
                param_name_characters=parameters.MOST_NAME,
                param_value_bytes=parameters.MOST_VALUE,
                params_bytes=parameters.MOST_TOTAL,
                pipeline_bytes=documents.MOST_BYTES,
                stages=recording.MOST_STAGES,
                artifacts=recording.MOST_ARTIFACTS,
                log_bytes=step_logs.MOST_BYTES,
                append_lines=step_logs.MOST_LINES,
                request_bytes=MOST_REQUEST,
                lease_seconds=leases.LEASE_MS // 1000,
            ),
        )

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Context) -> pb.ServerInfo:
        """Returns version, features and limits."""
        return self._info
