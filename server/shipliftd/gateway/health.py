"""Whether the server could do what it is asked now."""

from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from shipliftd.gateway.failures import Failure

_SECONDS = 5.0
HEALTH_OF = "shiplift.v1.BuildService"


class Health:
    """What the server at the end of a channel says of its health."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._check: Any = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    async def require(self) -> None:
        """Raises Failure, with 503, unless the server says that it is well."""
        request = health_pb2.HealthCheckRequest(service=HEALTH_OF)
        try:
            health = await self._check(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Failure(
                503, grpc.StatusCode.UNAVAILABLE, f"the server does not answer: {error.code().name}"
            ) from None
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            raise Failure(503, grpc.StatusCode.UNAVAILABLE, "the server takes no promotions now: try again")
