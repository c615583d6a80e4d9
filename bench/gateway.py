"""The gateway against gRPC: getting, listing and promoting builds by HTTP, and the same calls over gRPC.

`python -m bench.gateway --help`. In turn, in one run; server and client each have a core of their own.
`http` is `shipliftd serve --http`; `alone` is `shipliftd gateway`, a process beside the server on the
server's core. `--compare URL --token T` sends the same HTTP requests to another server that speaks this
API, where the repository and its builds must be.
"""

import argparse
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from rich.console import Console
from shiplift.v1 import builds_pb2

from bench.http_load import measure_http
from bench.load import Result, measure, repeated
from bench.rig import (
    CLIENT_CORE,
    OWNER,
    REPO,
    Run,
    fill,
    highest_memory,
    on_server_core,
    prepare,
    promotion,
    table,
)
from tests.support.harness import Gateway, Shipliftd

_SERVICE = "/shiplift.v1.BuildService"


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    parser.add_argument("--stored", type=int, default=1000, help="builds in the store beforehand")
    parser.add_argument("--compare", metavar="URL", help="another server, such as http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="a token of the other server")
    parser.add_argument("--repo", default=f"{OWNER}/{REPO}", help="a repository of the other server")
    parser.add_argument("--build", type=int, default=1, help="of its builds the one to get and to promote")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
        results, memory = _compare(Path(folder), options)
    floors = {name: f"grpc {name.split()[1]}" for name, _ in results}
    title = f"{options.stored:,} stored builds; medians of {options.rounds} x {options.seconds:g} s"
    console = Console(width=110)
    console.print(table(title, results, options.connections, floors))
    console.print(f"server memory at its highest: {memory:.0f} MB")


def _compare(
    folder: Path, options: argparse.Namespace
) -> tuple[dict[tuple[str, int], list[Result]], float]:
    results: dict[tuple[str, int], list[Result]] = {}
    database = folder / "shiplift.db"
    with on_server_core(), Shipliftd(database) as first:
        prepare(first)
    fill(database, options.stored)
    with on_server_core():
        server = Shipliftd(database, ("--http", "127.0.0.1:0"), keeps_log=False).start()
        alone = Gateway(server.address, keeps_log=False).start()
    try:
        runs = _grpc(server) | _http("http", server.http, server.admin_token)
        runs |= _http("alone", alone.http, server.admin_token)
        if options.compare:
            address = urlsplit(options.compare).netloc
            runs |= _http("other", address, options.token, options.repo, options.build, options.build)
        for _ in range(options.rounds):
            for connections in options.connections:
                for name, run in runs.items():
                    results.setdefault((name, connections), []).append(run(connections, options.seconds))
        return results, highest_memory(server.process.pid)
    finally:
        alone.stop()
        server.stop()


def _grpc(server: Shipliftd) -> dict[str, Run]:
    get = builds_pb2.GetBuildRequest(owner=OWNER, repo=REPO, build=2)
    page = builds_pb2.ListBuildsRequest(owner=OWNER, repo=REPO, page_size=25)
    bodies = {
        "get": (f"{_SERVICE}/GetBuild", get.SerializeToString()),
        "list": (f"{_SERVICE}/ListBuilds", page.SerializeToString()),
        "promote": (f"{_SERVICE}/PromoteBuild", promotion().SerializeToString()),
    }

    def run(path: str, body: bytes) -> Run:
        return lambda callers, seconds: uvloop.run(
            measure(server.address, path, repeated(body), callers, seconds, server.admin_token)
        )

    return {f"grpc {name}": run(path, body) for name, (path, body) in bodies.items()}


def _http(
    kind: str, address: str, token: str, repo: str = f"{OWNER}/{REPO}", get: int = 2, promote: int = 1
) -> dict[str, Run]:
    params = "&".join(f"{name}={value}" for name, value in promotion().params.items())
    builds = f"/api/repos/{repo}/builds"
    lines = {
        "get": f"GET {builds}/{get}",
        # A page of Drone's: 25 builds.
        "list": f"GET {builds}",
        "promote": f"POST {builds}/{promote}/promote?target={promotion().target}&{params}",
    }

    def run(line: str) -> Run:
        fields = {"Host": address, "Authorization": f"Bearer {token}", "Content-Length": "0"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        request = f"{line} HTTP/1.1\r\n{head}\r\n".encode()
        return lambda connections, seconds: uvloop.run(measure_http(address, request, connections, seconds))

    return {f"{kind} {name}": run(line) for name, line in lines.items()}


if __name__ == "__main__":
    main()
