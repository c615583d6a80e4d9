"""A build as it is recorded, listed, promoted, tried again, reported on and ended.

Other rooms use what stands here, the rows and how they are found and stored. The verbs are one file
each; start reading in `promotions.py`.
"""

from shipliftd.builds.listing import listed_of
from shipliftd.builds.records import (
    Taken,
    approvals_of,
    awaited,
    by_id,
    disabled,
    find,
    find_whole,
    get,
    get_basic,
    has_news,
    ids,
    in_its_environment,
    insert,
    load,
    not_found,
    stages_of,
    stages_of_each,
    steps_of_build,
    steps_of_each,
    steps_of_stage,
    take_number,
    waits_for,
)

__all__ = [
    "Taken",
    "approvals_of",
    "awaited",
    "by_id",
    "disabled",
    "find",
    "find_whole",
    "get",
    "get_basic",
    "has_news",
    "ids",
    "in_its_environment",
    "insert",
    "listed_of",
    "load",
    "not_found",
    "stages_of",
    "stages_of_each",
    "steps_of_build",
    "steps_of_each",
    "steps_of_stage",
    "take_number",
    "waits_for",
]
