"""What the tests of faults may use, and the count of what each tried."""

from collections.abc import Callable
from pathlib import Path

import pytest

# What a test tells in its line.
Tell = Callable[[str], None]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store that is not there yet, as `--database` takes it."""
    return tmp_path / "shiplift.db"


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Has what was tried and what was lost told at the end of the run."""
    return lambda told: record_property("faults", told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tells it, a line a test."""
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {told}"
        for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed"))
        if report.when == "call"
        for name, told in report.user_properties
        if name == "faults"
    ]
    if lines:
        terminalreporter.section("what was tried, and what was lost")
        terminalreporter.write_line("\n".join(lines))
