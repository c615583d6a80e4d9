"""The floor of the benchmarks: a gRPC server of the same kind that answers one fixed Build, and no more.

    python -m bench.echo ADDRESS

Reads the Build from standard input and prints the address that it listens on.
"""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio
import uvloop
from shiplift.v1 import builds_pb2 as pb


async def main() -> None:
    """Serves until its standard input closes."""
    loop = asyncio.get_running_loop()
    size = int(sys.stdin.buffer.readline())
    reply = pb.Build.FromString(sys.stdin.buffer.read(size))

    async def echo(_request: pb.PromoteRequest, _context: grpc.aio.ServicerContext[Any, Any]) -> pb.Build:
        return reply

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(
        echo, pb.PromoteRequest.FromString, pb.Build.SerializeToString
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Echo", {"Echo": handler})])
    port = server.add_insecure_port(sys.argv[1])
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(main())
