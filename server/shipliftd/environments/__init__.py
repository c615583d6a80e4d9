"""Environments: what is in each, what is on its way there, and where nobody knows.

Other rooms use what stands here. Start reading in `standings.py`, which says how an environment stands.
"""

from shipliftd.environments.current import becomes_current, current_number
from shipliftd.environments.uncertain import accept_lost, lose, settle_by_success

__all__ = ["accept_lost", "becomes_current", "current_number", "lose", "settle_by_success"]
