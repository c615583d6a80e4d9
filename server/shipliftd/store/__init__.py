"""The store: one file, its transactions, models, rows, compiled queries, pages, migrations and backups.

Every room but `pipelines` and `gateway` may import it. Start reading in `group_commit.py`: `Store.write`
is how everything gets to disk.
"""

from shipliftd.store.group_commit import Store
from shipliftd.store.opening import Lock, is_away, is_busy, is_damaged, is_defect, open_database

__all__ = ["Lock", "Store", "is_away", "is_busy", "is_damaged", "is_defect", "open_database"]
