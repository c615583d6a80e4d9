"""What always holds in a store, beyond what its tables say; `shipliftd check` looks at it."""

from shipliftd.store.models import ENDED, IS_UNDER_WAY
from shipliftd.store.transaction import Reader

_ENDED = ", ".join(repr(status) for status in sorted(ENDED))
_MOST_TOLD = 3
_LINKED_TO_NONE = " OR ".join(
    f"builds.{link} > 0 AND NOT EXISTS (SELECT 1 FROM builds AS others"  # noqa: S608
    f" WHERE others.repo_id = builds.repo_id AND others.number = builds.{link})"
    for link in ("rollback_of", "rolled_back_by", "superseded_by")
)

# Each with what it says of the rows that it finds, which should be none.
_RULES = (
    (
        "repositories whose counter is behind their builds",
        "SELECT owner || '/' || name FROM repositories WHERE counter < "
        "(SELECT coalesce(max(number), 0) FROM builds WHERE repo_id = repositories.id)",
    ),
    (
        "builds without a stage",
        "SELECT id FROM builds WHERE NOT EXISTS (SELECT 1 FROM stages WHERE build_id = builds.id)",
    ),
    (
        "builds that have ended with a stage that has not",
        f"SELECT builds.id FROM builds JOIN stages ON stages.build_id = builds.id"  # noqa: S608
        f" WHERE builds.status IN ({_ENDED}) AND stages.status NOT IN ({_ENDED}) AND builds.parent > 0",
    ),
    (
        "promotions that run or wait although all their stages have ended",
        f"SELECT id FROM builds WHERE parent > 0 AND status NOT IN ({_ENDED}) AND NOT EXISTS"  # noqa: S608
        f" (SELECT 1 FROM stages WHERE build_id = builds.id AND status NOT IN ({_ENDED}))",
    ),
    (
        "stages that have ended and are still leased",
        f"SELECT id FROM stages WHERE lease_expires > 0 AND status IN ({_ENDED})",  # noqa: S608
    ),
    (
        "promotions of a build that is not there",
        "SELECT id FROM builds WHERE parent > 0 AND NOT EXISTS (SELECT 1 FROM builds AS parents"
        " WHERE parents.repo_id = builds.repo_id AND parents.number = builds.parent)",
    ),
    (
        "environments with a build that did not succeed there",
        "SELECT arrivals.id FROM arrivals JOIN builds ON builds.id = arrivals.build_id"
        " WHERE arrivals.said_by = '' AND (builds.deploy_to <> arrivals.environment"
        " OR builds.status <> 'success')",
    ),
    (
        "promotions that wait although a stage of theirs has begun",
        f"SELECT id FROM builds WHERE waits > 0 AND {IS_UNDER_WAY} AND EXISTS"  # noqa: S608
        " (SELECT 1 FROM stages WHERE build_id = builds.id"
        " AND status NOT IN ('blocked', 'waiting_on_dependencies'))",
    ),
    (
        "promotions that are blocked and wait for nothing",
        "SELECT id FROM builds WHERE status = 'blocked' AND parent > 0 AND waits = 0",
    ),
    (
        # Of those that came since it was declared: before that they did not queue.
        "declared environments with several promotions under way",
        "SELECT min(name) FROM environments JOIN builds ON builds.repo_id = environments.repo_id"  # noqa: S608
        " AND deploy_to = name WHERE declared AND builds.created >= environments.created"
        f" AND waits = 0 AND {IS_UNDER_WAY} GROUP BY environments.id HAVING count(*) > 1",
    ),
    (
        "builds that name another one that is not there",
        f"SELECT id FROM builds WHERE {_LINKED_TO_NONE}",  # noqa: S608
    ),
    (
        "pipeline files that builds have and are not there",
        "SELECT id FROM builds WHERE pipeline_id IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM pipelines WHERE pipelines.id = builds.pipeline_id)",
    ),
)


def broken(reader: Reader) -> list[str]:
    """What does not hold, a line each, with how many rows and the first of them."""
    found = []
    for what, sql in _RULES:
        rows = reader.connection.execute(sql).fetchall()
        if rows:
            told = ", ".join(str(row[0]) for row in rows[:_MOST_TOLD])
            found.append(f"{len(rows)} {what}: {told}{', ...' if len(rows) > _MOST_TOLD else ''}")
    return found
