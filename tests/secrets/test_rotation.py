"""Keys come and go: `rotate-key` beside a server, and what is told once a key is lost."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from shiplift.v1 import secrets_pb2 as pb
from shipliftd.secrets import given, sealing
from shipliftd.secrets.keys import Keyring, new_line
from shipliftd.settings import database_of
from shipliftd.store import open_store
from shipliftd.store.transaction import Reader

from tests.support.beside import opened
from tests.support.commands import said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.stores import create, promote

APP = {"owner": "octocat", "repo": "app"}
OLD, NEW = new_line(), new_line()
OLD_ID, NEW_ID = (line.partition(":")[0] for line in (OLD, NEW))


class Keys:
    """A file of keys, and a server that has it."""

    def __init__(self, path: Path, server: Shipliftd) -> None:
        self.path = path
        self.server = server

    def write(self, *lines: str) -> None:
        """Puts the lines into the file's place, as an operator's editor does."""
        new = self.path.with_name("keys.new")
        new.touch(0o600)
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.path)

    def put(self, name: str, value: str, **fields: str) -> pb.Secret:
        request = pb.SetSecretRequest(**{**APP, **fields}, name=name, value=value)  # type: ignore[arg-type]
        return self.server.secret_service().SetSecret(request)

    def rotate(self) -> str:
        return said(*self.command)

    @property
    def command(self) -> tuple[str | Path, ...]:
        return ("rotate-key", "--secret-key-file", self.path, "--database", self.server.store)

    def values(self) -> given.Opened:
        """What a build to production of the repository gets with the keys that the file has now."""

        def read(reader: Reader) -> given.Opened:
            return given.opened(
                Keyring(self.path), given.available(reader, "octocat", "app", "production", False)
            )

        async def run() -> given.Opened:
            with closing(open_store(database_of(self.server.store), 1)) as store:
                await store.open()
                return await store.listing(read)

        return asyncio.run(run())

    def ids(self) -> set[str]:
        """Which keys anything is sealed with."""
        with opened(self.server.database) as store:
            return {row[0] for row in store.execute("SELECT key_id FROM secrets WHERE deleted = 0")}


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    path = tmp_path / "keys"
    server = Shipliftd(
        tmp_path / "shiplift.db",
        ("--secret-key-file", str(path)),
        environment={"SHIPLIFTD_SECRET_KEY": ""},
    )
    made = Keys(path, server)
    made.write(OLD)
    with server:
        create(server)
        yield made


def test_a_key_that_is_put_first_keeps_everything_after_rotate_key(keys: Keys) -> None:
    before = [keys.put(f"n{n}", f"the value of secret {n}") for n in range(250)]
    keys.put("wide", "of all of the owner's", repo="*")
    keys.put("narrow", "of production alone", environment="production")
    keys.write(NEW, OLD)
    # The server has seen the new one: no restart is needed.
    keys.put("later", "set with the new key")
    assert keys.ids() == {OLD_ID, NEW_ID}
    assert keys.rotate() == f"252 wrapped anew with {NEW_ID!r}\n"
    assert keys.rotate() == f"0 wrapped anew with {NEW_ID!r}\n"
    keys.write(NEW)
    assert keys.values() == given.Opened(
        {
            **{f"n{n}": f"the value of secret {n}" for n in range(250)},
            "wide": "of all of the owner's",
            "narrow": "of production alone",
            "later": "set with the new key",
        },
        {},
    )
    after = keys.server.secret_service().GetSecret(pb.GetSecretRequest(**APP, name="n0"))
    assert (after.version, after.updated) == (before[0].version, before[0].updated)
    # Digests are the new key's, so that the same values are seen to be the same.
    assert keys.put("same", "the value of secret 0").digest == after.digest != before[0].digest


def test_secret_parameters_of_builds_are_wrapped_anew_too(keys: Keys) -> None:
    promote(keys.server.builds())
    old = Keyring(text=OLD)
    with opened(keys.server.database) as store:
        ((repo_id,),) = store.execute("SELECT repo_id FROM builds WHERE number = 2").fetchall()
        sealed = {
            name: sealing.as_json(
                sealing.seal(old.first(), f"value of {name}", sealing.of_parameter(repo_id, 2, name))
            )
            for name in ("A", "B")
        }
        sealed["C"] = [*sealed["A"]]
        store.execute("UPDATE builds SET sealed_params = ? WHERE number = 2", (json.dumps(sealed),))
    keys.write(NEW, OLD)
    done = shipliftd(*keys.command)
    moved = "it was changed or moved in the store, or its key is another one by now"
    assert (done.returncode, done.stdout) == (
        1,
        f"2 wrapped anew with {NEW_ID!r}\ngone: parameter C of build 2 of octocat/app: {moved}\n",
    )
    with opened(keys.server.database) as store:
        ((text,),) = store.execute("SELECT sealed_params FROM builds WHERE number = 2").fetchall()
    stored = json.loads(text)
    assert stored["C"] == sealed["C"]
    new = Keyring(text=NEW).all()
    for name in ("A", "B"):
        place = sealing.of_parameter(repo_id, 2, name)
        assert sealing.open_sealed(new, sealing.of_json(stored[name]), place) == f"value of {name}"


def test_keys_are_rotated_while_secrets_are_set_and_builds_promoted(keys: Keys) -> None:
    names = [f"n{n}" for n in range(8)]
    for name in names:
        keys.put(name, "at first")
    last = dict.fromkeys(names, "at first")
    lines = [OLD]
    stop, promoted = threading.Event(), [0]
    turn = threading.Barrier(len(names) + 2, timeout=SECONDS)

    def change(name: str) -> None:
        turn.wait()
        for n in itertools.count():
            if stop.is_set():
                return
            value = f"{name}, value {n}"
            keys.put(name, value)
            last[name] = value

    def go_on() -> None:
        builds = keys.server.builds()
        turn.wait()
        while not stop.is_set():
            promoted[0] = promote(builds).number

    threads = [threading.Thread(target=change, args=(name,)) for name in names]
    threads.append(threading.Thread(target=go_on))
    for thread in threads:
        thread.start()
    turn.wait()
    try:
        for _ in range(3):
            lines = [new_line(), *lines]
            keys.write(*lines)
            assert "gone" not in keys.rotate()
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    keys.rotate()
    keys.write(lines[0])
    assert keys.values() == given.Opened(last, {})
    assert all(value != "at first" for value in last.values())
    assert promoted[0] > 3


def test_a_lost_key_says_which_secrets_are_gone_and_the_rest_works(keys: Keys) -> None:
    keys.put("lost", "what the old key kept", environment="production")
    keys.put("lost", "what the old key kept", repo="*")
    keys.write(NEW)
    keys.put("there", "what the new key keeps")
    gone = f"its key {OLD_ID!r} is not among the server's"
    done = shipliftd(*keys.command)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        f"0 wrapped anew with {NEW_ID!r}\n"
        f"gone: lost of octocat/app in production: {gone}\n"
        f"gone: lost of octocat/*: {gone}\n",
        "shipliftd: 2 cannot be opened: give the key that kept them, or set them again\n",
    )
    assert keys.values() == given.Opened({"there": "what the new key keeps"}, {"lost": gone})
    assert promote(keys.server.builds()).number == 2
    # A server says so when it starts, and serves.
    keys.server.stop()
    keys.server.log.clear()
    with keys.server:
        told = [line for line in keys.server.log if line["event"] == "secrets cannot be opened"]
        assert [line["secrets"] for line in told] == [
            f"lost of octocat/app in production (key {OLD_ID}), lost of octocat/* (key {OLD_ID})"
        ]
        keys.put("lost", "set again", environment="production")
        assert keys.values().values == {"there": "what the new key keeps", "lost": "set again"}
        # And the key may come back.
        keys.write(NEW, OLD)
        assert keys.rotate() == f"1 wrapped anew with {NEW_ID!r}\n"


def test_a_row_that_is_put_into_anothers_place_is_noticed(keys: Keys) -> None:
    for name in ("one", "other", "third"):
        keys.put(name, f"the value of {name}")
    with opened(keys.server.database) as store:
        store.execute(
            "UPDATE secrets SET wrapped = (SELECT wrapped FROM secrets WHERE name = 'other'),"
            " sealed = (SELECT sealed FROM secrets WHERE name = 'other') WHERE name = 'one'"
        )
        store.execute("UPDATE secrets SET repo = '*' WHERE name = 'third'")
    moved = "it was changed or moved in the store, or its key is another one by now"
    assert keys.values() == given.Opened({"other": "the value of other"}, {"one": moved, "third": moved})
    keys.write(NEW, OLD)
    done = shipliftd(*keys.command)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        1,
        [
            f"1 wrapped anew with {NEW_ID!r}",
            f"gone: one of octocat/app: {moved}",
            f"gone: third of octocat/*: {moved}",
        ],
    )


def test_rotate_key_needs_a_key(tmp_path: Path, keys: Keys) -> None:
    done = shipliftd("rotate-key", "--database", keys.server.store)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`shipliftd new-key`" in done.stderr
