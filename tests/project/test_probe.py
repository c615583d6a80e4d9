"""The probe for hostile calls sees what it is for."""

import os
import signal
import time

from tests.support import probe
from tests.support.harness import Shipliftd
from tests.support.repository import Repository


def test_a_call_that_holds_nobody_up_is_harmless(repository: Repository) -> None:
    assert probe.harmless(repository, lambda: repository.record().number) == 1


def test_a_server_that_stands_still_is_seen(own_server: Shipliftd) -> None:
    def stands_still() -> None:
        os.kill(own_server.process.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(own_server.process.pid, signal.SIGCONT)

    _, told = probe.cost(Repository.make(own_server, "acme", "web"), stands_still)
    assert told.wait > 0.8
