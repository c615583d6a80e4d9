"""Promotions with all gates on against promotions with none: `python -m bench.gates --help`.

The same build goes to an environment without rules, and to one with a rule for each gate; in turn, in one
run.
"""

import argparse
import os
import tempfile
from pathlib import Path

import uvloop
from google.protobuf.json_format import ParseDict
from rich.console import Console
from shiplift.v1 import access_pb2, builds_pb2
from shiplift.v1 import environments_pb2 as pb

from bench.load import Result, measure, repeated
from bench.rig import CLIENT_CORE, OWNER, Run, on_server_core, prepare, promotion, table
from tests.support.harness import Shipliftd

_RULED = "ruled"
_FLOORS = {"no rules": "no rules", "all gates": "no rules"}
# One for each gate; each promotion waits for its approval, as it would.
_RULES = {
    "name": "production",
    "deployer": "DEPLOYER_EXTERNAL",
    "promoters": ["admin", "octocat"],
    "required_approvals": 2,
    "approvers": ["octocat", "mona", "spaceghost"],
    "requires": "staging",
    "soak": "1s",
    "queue_policy": "QUEUE_POLICY_QUEUE",
    "freezes": [
        {
            "name": "christmas",
            "zone": "Europe/Berlin",
            "from": "2000-12-20T00:00",
            "to": "2001-01-02T00:00",
        },
        {
            "name": "new year",
            "zone": "America/New_York",
            "from": "2001-12-31T12:00",
            "to": "2002-01-01T12:00",
        },
    ],
    "params": [
        {"name": "REGION", "required": True, "choices": ["eu-west-1", "us-east-1"]},
        {"name": "REPLICAS", "pattern": "[0-9]{1,2}"},
        {"name": "COLOUR", "default": "blue"},
    ],
}


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    results: dict[tuple[str, int], list[Result]] = {}
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder,
        _served(Path(folder)) as server,
    ):
        runs = _runs(server)
        for _ in range(options.rounds):
            for callers in options.callers:
                for name, run in runs.items():
                    results.setdefault((name, callers), []).append(run(callers, options.seconds))
    title = f"promotions; medians of {options.rounds} x {options.seconds:g} s"
    Console(width=110).print(table(title, results, options.callers, _FLOORS))


def _served(folder: Path) -> Shipliftd:
    with on_server_core():
        return Shipliftd(folder / "shiplift.db", keeps_log=False)


def _runs(server: Shipliftd) -> dict[str, Run]:
    prepare(server)
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=OWNER, repo=_RULED))
    builds, environments = server.builds(), server.environments()
    recorded = builds_pb2.CreateBuildRequest(
        owner=OWNER,
        repo=_RULED,
        after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        status=builds_pb2.BUILD_STATUS_SUCCESS,
    )
    builds.CreateBuild(recorded)
    for rules in ({"name": "staging"}, _RULES):
        declared = ParseDict(rules, pb.Environment())
        environments.CreateEnvironment(
            pb.CreateEnvironmentRequest(owner=OWNER, repo=_RULED, environment=declared)
        )
    staged = builds.PromoteBuild(
        builds_pb2.PromoteRequest(owner=OWNER, repo=_RULED, build=1, target="staging")
    )
    report = builds_pb2.UpdateBuildRequest(
        owner=OWNER, repo=_RULED, build=staged.number, status=builds_pb2.BUILD_STATUS_SUCCESS
    )
    builds.UpdateBuild(report)
    ruled = promotion()
    ruled.repo = _RULED
    token = server.admin_token

    def run(request: builds_pb2.PromoteRequest) -> Run:
        feed, path = repeated(request.SerializeToString()), "/shiplift.v1.BuildService/PromoteBuild"
        return lambda callers, seconds: uvloop.run(
            measure(server.address, path, feed, callers, seconds, token)
        )

    return {"no rules": run(promotion()), "all gates": run(ruled)}


if __name__ == "__main__":
    main()
