"""Whether tests notice that a gate is gone: each in turn passes all, and some test has to fail.

    python -m tests.support.mutate_gates [GATE]...

Of each gate the table of decisions is tried, and then the tests over the API, on a copy of the server.
Ends with exit code 1, naming what nobody noticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shipliftd.environments.gates import GATES

ROOT = Path(__file__).parents[2]
NAMES = [gate.name for gate in GATES]
TRIED = ("tests/environments/test_gates.py", "tests/environments/test_each_gate.py")
# Behind the table of the copy.
MUTATION = """

_ask = {name}


def _passing(facts: Facts) -> Said:
    said = _ask(facts)
    return said if isinstance(said, str) else "it passes all the same"


_passing.__name__ = {name!r}
GATES = tuple(gate._replace(ask=_passing) if gate.name == {name!r} else gate for gate in GATES)
"""


def is_noticed(name: str, tests: str) -> bool:
    """Whether tests fail where a gate passes all; without a name, whether they fail at all."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "shipliftd"
        shutil.copytree(ROOT / "server" / "shipliftd", copy, ignore=shutil.ignore_patterns("__pycache__"))
        if name:
            with (copy / "environments" / "gates.py").open("a") as gates:
                gates.write(MUTATION.format(name=name))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests],
            cwd=ROOT,
            # Before the package that is installed.
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            timeout=300,
        )
    # 1: some failed; anything else is no answer.
    if done.returncode not in (0, 1):
        raise RuntimeError(
            f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.returncode == 1


def main(names: Sequence[str]) -> int:
    """Tries each gate; 1 where one is gone and nobody noticed."""
    broken = [tests for tests in TRIED if is_noticed("", tests)]
    if broken:
        sys.stdout.write(f"{', '.join(broken)} fail on the server as it is: mend that first\n")
        return 1
    unseen = 0
    for name in names or NAMES:
        for tests in TRIED:
            is_seen = is_noticed(name, tests)
            unseen += not is_seen
            sys.stdout.write(f"{name}: {'noticed' if is_seen else 'NOT NOTICED'} by {tests}\n")
            sys.stdout.flush()
    return int(unseen > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
