"""What has changed, for those who watch: rows in the order in which they were committed, and who is told.

`numbered.py` reads them, `feed.py` hands them out; start reading in `feed.py`.
"""

from shipliftd.changes.feed import Feed, Filter, News, Watch
from shipliftd.changes.numbered import ChangeRow, Cursor, Kept, after, kept
from shipliftd.changes.old import forget

__all__ = ["ChangeRow", "Cursor", "Feed", "Filter", "Kept", "News", "Watch", "after", "forget", "kept"]
