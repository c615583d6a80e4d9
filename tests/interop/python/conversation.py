"""conversation.py ADDRESS OWNER REPO RUN, RUN being a CI's name for its build; token in SHIPLIFT_TOKEN."""

import os
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from shiplift_stubs.v1 import builds_pb2 as pb
from shiplift_stubs.v1 import builds_pb2_grpc

COMMIT = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"
RETRIES = """
{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.2s",
  "maxBackoff": "3s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}
"""

address, owner, repo, run = sys.argv[1:]
options = [("grpc.service_config", RETRIES)]
bearer = [("authorization", f"Bearer {os.environ['SHIPLIFT_TOKEN']}")]
with grpc.insecure_channel(address, options) as channel:
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    print("health:", health_pb2.HealthCheckResponse.ServingStatus.Name(health.status))

    builds = builds_pb2_grpc.BuildServiceStub(channel)
    recording = pb.CreateBuildRequest(owner=owner, repo=repo, external_id=run, after=COMMIT)
    recorded = builds.CreateBuild(recording, metadata=bearer, timeout=20)
    promotion = pb.PromoteRequest(
        owner=owner, repo=repo, build=recorded.number, target="production", request_id=run
    )
    for _ in range(2):  # The request_id makes it safe to repeat.
        build, call = builds.PromoteBuild.with_call(promotion, metadata=bearer, timeout=20)
        replayed = ("shiplift-replayed", "true") in call.trailing_metadata()
        print(f"promoted as {build.number} replayed: {str(replayed).lower()}")

    try:
        unknown = pb.GetBuildRequest(owner=owner, repo=repo, build=4000)
        builds.GetBuild(unknown, metadata=bearer, timeout=20)
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        rpc_status.from_call(error).details[0].Unpack(info)
        print("refused:", info.reason)

    listing = pb.ListBuildsRequest(owner=owner, repo=repo, environment="staging", page_size=1)
    page = builds.ListBuilds(listing, metadata=bearer, timeout=20)
    while page.next_page_token:
        listing.page_token = page.next_page_token
        page = builds.ListBuilds(listing, metadata=bearer, timeout=20)
    tail = pb.TailLogRequest(owner=owner, repo=repo, build=page.builds[0].number, stage=1, step=1)
    for some in builds.TailLog(tail, metadata=bearer, timeout=20):
        for line in some.lines:
            print(line.text, end="")
