"""A stage as it is made, offered, leased, reported on and followed, and the logs of its steps.

Other rooms use what stands here. Start reading in `leases.py`, then in `flow.py`: how a stage that ends
moves its build on.
"""

from shipliftd.stages.build_stages import again, lacking, said_by, store_pipeline
from shipliftd.stages.flow import begin, carry_on, follow
from shipliftd.stages.holders import end_stage, end_steps
from shipliftd.stages.leases import LEASE_MS, holds, keep_all

__all__ = [
    "LEASE_MS",
    "again",
    "begin",
    "carry_on",
    "end_stage",
    "end_steps",
    "follow",
    "holds",
    "keep_all",
    "lacking",
    "said_by",
    "store_pipeline",
]
