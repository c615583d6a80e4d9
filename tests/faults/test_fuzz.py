"""What nobody would ask: every rpc, and the reader of pipelines, refuses it in words that are declared."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.support.faults import form

pytestmark = pytest.mark.skipif(
    find_spec("atheris") is None, reason="atheris has no wheel for this machine and this Python"
)

SECONDS = form(4, 1_800)


@pytest.mark.timeout(form(300, 3_600))
@pytest.mark.parametrize(("what", "longest"), [("requests", 600), ("pipelines", 3_000)])
def test_whatever_is_given_is_taken_or_refused(what: str, longest: int, tmp_path: Path, tell: Tell) -> None:
    options = [f"-max_total_time={SECONDS}", f"-max_len={longest}", *form(["-seed=1"], [])]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz", what, str(tmp_path), *options],
        capture_output=True,
        text=True,
        errors="replace",
    )
    found = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-10_000:]
    assert found is not None, done.stderr[-10_000:]
    assert int(found[1]) > 100
    tell(f"{found[1]} {what}; 0 ended in what is not declared")
