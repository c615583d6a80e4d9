"""Tables and fields for people, as wide as the terminal; a pipe has no width, and nothing is cut there."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiplift.cli.output import clean

# Of words, wherever one stands alone.
COLOURS = {
    "success": "green",
    "running": "cyan",
    "pending": "yellow",
    "blocked": "yellow",
    "failure": "red",
    "error": "red",
    "killed": "red",
    "declined": "red",
    "passed": "green",
    "failed": "red",
    "waiting": "yellow",
    "overridden": "magenta",
    "skipped": "dim",
}
# A pipe's, and that of `-o wide`.
_ENDLESS = 100_000
_GAP = 2
# A text that is cut says something down to this.
_LEAST = 20


class Column(NamedTuple):
    """A column: its heading, and the lower its rank, the longer it stays where there is no room.

    One of rank 0 stays always, and is never cut; a text is cut to what is left, if that is enough, or
    folded into it.
    """

    heading: str
    rank: int = 0
    is_text: bool = False
    is_folded: bool = False


def put_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, wide: bool = False) -> None:
    """A table, without the columns that are empty in every row, and those that there is no room for."""
    rows = [[clean(cell) for cell in row] for row in rows]
    console = _console(endless=wide)
    widths = [max(map(cell_len, cells)) for cells in zip((c.heading for c in columns), *rows, strict=True)]
    filled = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    kept = _that_fit(columns, widths, filled, console.width)
    room = console.width - sum(widths[at] + _GAP for at in kept if not columns[at].is_text) + _GAP
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at in kept:
        column = columns[at]
        if column.is_folded:
            table.add_column(column.heading, overflow="fold", min_width=min(widths[at], _LEAST))
            continue
        most = max(room - _GAP, _LEAST) if column.is_text else None
        table.add_column(column.heading, no_wrap=True, overflow="ellipsis", max_width=most)
    for row in rows:
        table.add_row(*(_coloured(row[at]) for at in kept))
    # What is never cut goes beyond the edge of a terminal that is too narrow.
    console.width = max(console.width, _width(columns, widths, kept))
    _print(console, table)


def _that_fit(columns: Sequence[Column], widths: Sequence[int], kept: list[int], width: int) -> list[int]:
    while _width(columns, widths, kept) > width:
        last = max(kept, key=lambda at: columns[at].rank)
        if not columns[last].rank:
            break
        kept = [at for at in kept if at != last]
    return kept


def _width(columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int]) -> int:
    least = [min(widths[at], _LEAST) if columns[at].is_text else widths[at] for at in kept]
    return sum(least) + _GAP * (len(least) - 1)


def put_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, a line each, without those that are empty."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value:
            lines = [clean(line) for line in value.rstrip().split("\n")]
            table.add_row(name, _coloured("\n".join(lines)))
    _print(_console(endless=False), table)


def _coloured(text: str) -> Text:
    return Text(text, style=COLOURS.get(text, ""))


def _console(*, endless: bool) -> Console:
    terminal = sys.stdout.isatty()
    # rich takes NO_COLOR (no-color.org) for colours alone, and would still write in bold.
    plain = bool(os.environ.get("NO_COLOR")) or not terminal
    return Console(
        width=None if terminal and not endless else _ENDLESS,
        force_terminal=False if plain else None,
        highlight=False,
    )


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    # Written here, so that a closed pipe is met in one place. Rich pads the last column.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
