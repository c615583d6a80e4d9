"""An environment that was delivered to well and badly, at known times."""

from tests.support.gated import Gated
from tests.support.repository import Repository
from tests.support.staged import FAILURE, SUCCESS, stored


def filled(repository: Repository) -> Gated:
    """v1, which failed first; v2, which was rolled back; what was cancelled; all at known times."""
    gated = Gated.caller_of(repository)
    for letter in "ab":
        gated.released(after=letter * 40)
    failed = gated.promote(1)
    gated.report(failed.number, FAILURE)
    gated.delivered(1)
    gated.delivered(2)
    gated.report(gated.rollback().number, SUCCESS)
    gated.cancel(gated.promote(2).number)
    gated.delivered(2, "staging")
    query = (
        "UPDATE builds SET timestamp = CASE number WHEN 1 THEN 500000 ELSE 0 END,"
        " created = number * 1000000, finished = CASE WHEN parent > 0 THEN number * 1000000 ELSE 0 END"
        " WHERE repo_id = (SELECT id FROM repositories WHERE name = ?)"
    )
    stored(repository.server, query, repository.name)
    return gated
