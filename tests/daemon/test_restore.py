"""Restoring a backup: what is kept, what excludes it, and what becomes of it when it is killed."""

import fcntl
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from shipliftd.store import Lock

from tests.support.commands import refusal, said
from tests.support.harness import Shipliftd
from tests.support.stores import ADD, GRANT, TOKEN, create, damage, mode, numbers, promote

pytestmark = pytest.mark.sqlite


def test_restore_puts_a_backup_in_place_and_keeps_what_was_there(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "backup.db"
    said("backup", copy, "--database", store)
    with Shipliftd(store) as server:
        assert promote(server.builds()).number == 301
    line = said("restore", copy, "--database", store)
    found = re.fullmatch(rf"restored {copy}; what was there is in (.+)\n", line)
    assert found is not None
    kept = Path(found[1])
    assert (kept.parent, mode(kept), mode(store)) == (tmp_path, 0o600, 0o600)
    assert (numbers(store), numbers(kept)) == (list(range(1, 301)), list(range(1, 302)))
    assert "300 builds" in said("check", "--database", store)
    with Shipliftd(store) as server:
        assert promote(server.builds()).number == 301


def test_restore_takes_along_what_a_killed_server_left_beside_the_file(
    own_server: Shipliftd, filled: Path
) -> None:
    create(own_server)
    promote(own_server.builds())
    own_server.stop(signal.SIGKILL)
    database = own_server.database
    assert database.with_name("shiplift.db-wal").stat().st_size > 0
    line = said("restore", filled, "--database", database)
    kept = Path(line.partition("what was there is in ")[2].strip())
    assert (numbers(database), numbers(kept)) == (list(range(1, 301)), [1, 2])


def test_restore_fills_a_place_where_nothing_was(filled: Path, tmp_path: Path) -> None:
    new = tmp_path / "new" / "machine" / "shiplift.db"
    assert said("restore", filled, "--database", new) == f"restored {filled}\n"
    assert numbers(new) == list(range(1, 301))


def test_restore_refuses_a_damaged_backup_and_leaves_the_store_alone(store: Path, tmp_path: Path) -> None:
    damaged = damage(Path(shutil.copy(store, tmp_path / "damaged.db")))
    assert refusal("restore", damaged, "--database", store).startswith(f"{damaged} is damaged: ")
    assert numbers(store) == list(range(1, 301))
    assert list(tmp_path.glob("*replaced*")) == list(tmp_path.glob("*restoring*")) == []


def test_restore_is_not_mixed_with_what_an_older_store_left(
    own_server: Shipliftd, filled: Path, tmp_path: Path
) -> None:
    database = own_server.database
    create(own_server)
    promote(own_server.builds())
    own_server.stop(signal.SIGKILL)
    database.unlink()
    left = database.with_name("shiplift.db-wal").read_bytes()
    line = said("restore", filled, "--database", database)
    kept = Path(line.partition("what was there is in ")[2].strip())
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == left
    assert numbers(database) == list(range(1, 301))
    assert "300 builds" in said("check", "--database", database)


def test_restore_keeps_a_store_that_cannot_be_read(store: Path, filled: Path) -> None:
    store.write_bytes(b"x" * 50_000)
    line = said("restore", filled, "--database", store)
    kept = Path(line.partition("what was there is in ")[2].strip())
    assert (kept.read_bytes(), mode(kept)) == (b"x" * 50_000, 0o600)
    assert numbers(store) == list(range(1, 301))


def test_restore_keeps_what_is_beside_a_store_that_was_cut_to_nothing(
    own_server: Shipliftd, filled: Path
) -> None:
    own_server.stop(signal.SIGKILL)
    database = own_server.database
    database.write_bytes(b"")
    left = database.with_name("shiplift.db-wal").read_bytes()
    line = said("restore", filled, "--database", database)
    kept = Path(line.partition("what was there is in ")[2].strip())
    assert (kept.read_bytes(), kept.with_name(f"{kept.name}-wal").read_bytes()) == (b"", left)
    assert numbers(database) == list(range(1, 301))


def test_restore_waits_for_nobody_who_reads_for_long(store: Path, filled: Path) -> None:
    with closing(sqlite3.connect(store)) as reader:
        reader.execute("PRAGMA journal_mode = wal")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM builds").fetchone()
        assert refusal("restore", filled, "--database", store) == (
            f"the store {store} is being read by another process: wait until that has ended"
        )
    assert numbers(store) == list(range(1, 301))


def test_restore_and_commands_that_write_exclude_each_other(store: Path, filled: Path) -> None:
    with closing(Lock.of_command(store)):
        assert refusal("restore", filled, "--database", store) == (
            f"the store {store} is being written to by another command: wait until that has ended"
        )
        assert said("user", "add", "dora", "--database", store) == "created user dora\n"
    being_restored = f"the store {store} is being restored: wait until that has ended"
    with closing(Lock.of_restore(store)):
        for command in (ADD, TOKEN, GRANT):
            assert refusal(*command, "--database", store) == being_restored


def killed(step: int, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Runs a command that is killed before its n-th step on the names of files, or their sync."""
    program = f"""
import os
from shipliftd.command import main

left = {step}
def counted(do):
    def run(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return do(*arguments, **named)
    return run
for name in ("fsync", "link", "unlink", "rename", "replace"):
    setattr(os, name, counted(getattr(os, name)))
main()
"""
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True)


def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new_one(
    own_server: Shipliftd, filled: Path, tmp_path: Path
) -> None:
    create(own_server)
    promote(own_server.builds())
    own_server.stop(signal.SIGKILL)
    found = []
    for step in range(30):
        database = tmp_path / f"step{step}" / "shiplift.db"
        database.parent.mkdir()
        for side in ("", "-wal", "-shm"):
            shutil.copy(f"{own_server.database}{side}", f"{database}{side}")
        done = killed(step, "restore", filled, "--database", database)
        assert (done.returncode, done.stderr) in ((0, b""), (9, b""))
        found.append(len(numbers(database)))
        assert f"{found[-1]} builds" in said("check", "--database", database)
        if done.returncode == 0:
            break
        # And it can be done again.
        said("restore", filled, "--database", database)
        assert len(numbers(database)) == 300
    assert done.returncode == 0
    assert found == sorted(found)
    assert set(found) == {2, 300}


def test_a_backup_that_is_killed_leaves_a_sound_file_or_none(filled: Path, tmp_path: Path) -> None:
    for step in range(10):
        copy = tmp_path / f"copy{step}.db"
        done = killed(step, "backup", copy, "--database", filled)
        if copy.exists():
            assert len(numbers(copy)) == 300
        else:
            said("backup", copy, "--database", filled)
        if done.returncode == 0:
            break
        assert (done.returncode, done.stderr) == (9, b"")
    assert done.returncode == 0


def test_what_a_killed_backup_left_is_written_over(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for side in ("", "-journal", "-wal"):
        Path(f"{copy}.partial{side}").write_bytes(b"half" * 5000)
    said("backup", copy, "--database", filled)
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert (numbers(copy), mode(copy)) == (list(range(1, 301)), 0o600)


def test_two_backups_to_one_file_do_not_mix(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Path(f"{copy}.partial").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert refusal("backup", copy, "--database", filled) == (
            f"{copy} is being written by another shipliftd"
        )
    assert said("backup", copy, "--database", filled) == f"backed up to {copy}\n"


def test_restore_works_where_there_are_no_hard_links(store: Path, filled: Path, tmp_path: Path) -> None:
    program = """
import os
from shipliftd.command import main

def link(*names):
    raise PermissionError(1, "Operation not permitted")
os.link = link
main()
"""
    before = store.read_bytes()
    restore = ("restore", str(filled), "--database", str(store))
    done = subprocess.run([sys.executable, "-c", program, *restore], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    kept = Path(done.stdout.partition("what was there is in ")[2].strip())
    assert (len(kept.read_bytes()), mode(kept), mode(store)) == (len(before), 0o600, 0o600)
    assert numbers(store) == numbers(kept) == list(range(1, 301))
    assert list(tmp_path.glob("*restoring*")) == []


@pytest.mark.parametrize("command", [("serve", "--listen", "127.0.0.1:0"), ("migrate",)])
def test_nothing_opens_the_store_before_it_has_the_lock(tmp_path: Path, command: tuple[str, ...]) -> None:
    database = tmp_path / "shiplift.db"
    with closing(Lock(database)):
        assert "in use by another shipliftd" in refusal(*command, "--database", database)
    assert not database.exists()
