"""What the local runner stands on: processes with their children, lines, and a stage's folder."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shiplift.runner.output import MOST_LINE_BYTES, Splitter
from shiplift.runner.place import DEFAULT_PATH, Place, shell
from shiplift.runner.processes import Group

from tests.support.patience import SECONDS, within
from tests.support.runners import is_running

ENVIRONMENT = {"PATH": DEFAULT_PATH}


async def started(script: str, marker: Path, environment: Mapping[str, str] = ENVIRONMENT) -> Group:
    """A shell that runs a script, once it has written its marker."""
    group = await Group.start(["/bin/sh", "-c", script], environment)
    async with asyncio.timeout(SECONDS):
        while not marker.exists():
            await asyncio.sleep(0.01)
    return group


def test_ending_a_group_ends_its_grandchildren(tmp_path: Path) -> None:
    async def run() -> None:
        script = f"(sh -c 'sleep 60 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait')"
        group = await started(f"{script}; true", tmp_path / "pid")
        with within(1):
            await group.end()
            assert await group.wait() == 143

    asyncio.run(run())
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_what_does_not_listen_is_killed(tmp_path: Path) -> None:
    async def run() -> int:
        group = await started(
            f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 1; done", tmp_path / "ready"
        )
        await group.end(grace=0.2)
        return await group.wait()

    assert asyncio.run(run()) == 137


def test_a_process_is_waited_for_and_not_its_children(tmp_path: Path) -> None:
    async def run() -> int:
        group = await Group.start(
            ["/bin/sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; exit 7"], ENVIRONMENT
        )
        async with asyncio.timeout(SECONDS):
            code = await group.wait()
        assert is_running(int((tmp_path / "pid").read_text()))
        await group.end()
        return code

    assert asyncio.run(run()) == 7
    assert not is_running(int((tmp_path / "pid").read_text()))


@given(st.lists(st.binary(max_size=40)))
def test_lines_are_what_was_printed_however_it_came(chunks: list[bytes]) -> None:
    splitter = Splitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.close()
    *whole, rest = b"".join(chunks).split(b"\n")
    expected = [line + b"\n" for line in whole] + ([rest] if rest else [])
    assert lines == [line.decode(errors="replace").replace("\0", "\ufffd") for line in expected]


def test_a_long_line_is_cut_between_characters() -> None:
    splitter = Splitter()
    text = "x" + "é😀" * 40_000 + "\n"
    data = text.encode()
    lines = [line for at in range(0, len(data), 1000) for line in splitter.feed(data[at : at + 1000])]
    assert "".join(lines) == text
    assert [len(line.encode()) <= MOST_LINE_BYTES for line in lines] == [True] * 4
    assert splitter.close() == []


def test_a_long_line_that_is_no_text_is_cut_too() -> None:
    splitter = Splitter()
    lines = splitter.feed(b"\x80" * (2 * MOST_LINE_BYTES + 5)) + splitter.close()
    assert sum(map(len, lines)) == 2 * MOST_LINE_BYTES + 5


def test_a_stage_folder_is_empty_and_goes_with_all_that_is_in_it() -> None:
    place = Place("")
    assert list(place.workspace.iterdir()) == []
    assert set(place.environment("/bin")) == {"PATH", "HOME", "TMPDIR", "LANG"}
    locked = place.workspace / "a" / "b"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0o500)
    locked.parent.chmod(0o500)
    assert place.remove()
    assert not place.workspace.exists()


def test_a_workspace_stays_in_the_folder() -> None:
    place = Place("/drone/src")
    assert place.workspace.parts[-3:] == ("workspace", "drone", "src")
    place.remove()
    with pytest.raises(ValueError, match="leads out"):
        Place("../elsewhere")


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["echo one", "echo two"], "+ echo one\none\n+ echo two\ntwo\n"),
        (["false", "echo never"], "+ false\n"),
        (["echo 'a\nb'"], "+ echo 'a\nb'\na\nb\n"),
        (["cat <<END\n$HOME %s \\n\nEND"], None),
    ],
)
def test_commands_are_shown_and_the_first_that_fails_is_the_last(
    commands: list[str], expected: str | None, tmp_path: Path
) -> None:
    place = Place("")
    path = place.script(1, commands)
    read, write = os.pipe()

    async def run() -> int:
        group = await Group.start(shell("", path), {"HOME": "/h"}, directory=tmp_path, output=write)
        return await group.wait()

    code = asyncio.run(run())
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        printed = pipe.read().decode()
    place.remove()
    assert printed == (expected or "+ cat <<END\n$HOME %s \\n\nEND\n/h %s \\n\n")
    assert (code == 0) == ("false" not in commands)
