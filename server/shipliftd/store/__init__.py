"""The store: one file, its transactions and their group commit, models, rows, compiled queries, migrations.

Every room but `pipelines` and `gateway` may import it. Start reading in `group_commit.py`:
`Store.write` is how everything gets to disk.
"""

from shipliftd.store.group_commit import (
    Lock,
    Store,
    is_away,
    is_busy,
    is_damaged,
    is_defect,
    open_database,
)

__all__ = ["Lock", "Store", "is_away", "is_busy", "is_damaged", "is_defect", "open_database"]
