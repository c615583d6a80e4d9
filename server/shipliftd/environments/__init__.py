"""Environments: their rules and gates, what is in each, what is on its way there, and where nobody knows.

Other rooms use what stands here. Start reading in `gates.py`, which decides what may go there, then in
`standings.py`, which says how an environment stands.
"""

from shipliftd.environments.asking import (
    Asked,
    Place,
    access_of,
    facts,
    note,
    place_of,
    read,
    stored,
    undeclared,
)
from shipliftd.environments.current import becomes_current, current_number, newest_arrival
from shipliftd.environments.gates import OVERRIDABLE, Override, Verdict, against, evaluate, shown
from shipliftd.environments.holding import hold_automatic
from shipliftd.environments.rules import Said, completed
from shipliftd.environments.uncertain import accept_lost, lose, settle_by_success, unknown_to

__all__ = [
    "OVERRIDABLE",
    "Asked",
    "Override",
    "Place",
    "Said",
    "Verdict",
    "accept_lost",
    "access_of",
    "against",
    "becomes_current",
    "completed",
    "current_number",
    "evaluate",
    "facts",
    "hold_automatic",
    "lose",
    "newest_arrival",
    "note",
    "place_of",
    "read",
    "settle_by_success",
    "shown",
    "stored",
    "undeclared",
    "unknown_to",
]
