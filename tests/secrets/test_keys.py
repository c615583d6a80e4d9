"""Master keys: what a file or a variable may say, and when it is read again."""

import os
from pathlib import Path

import pytest
from shipliftd.errors import Precondition
from shipliftd.secrets.keys import Keyring, new_line

from tests.support.commands import refusal, said

LINE = "old:" + "A" * 43 + "="
WANTED = "wanted lines of ID:BASE64, with 32 bytes in base64, as `shipliftd new-key` prints them"


def file_of(folder: Path, *lines: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text("\n".join(lines))
    path.chmod(mode)
    return path


def test_the_first_key_seals_and_all_of_them_are_there(tmp_path: Path) -> None:
    path = file_of(tmp_path, "# ours", "new:" + "B" * 43 + "=", "", LINE)
    keyring = Keyring(path)
    assert keyring.first().id == "new"
    assert {name: key.secret for name, key in keyring.all().items()} == {
        "new": b"\x04\x10A" * 10 + b"\x04\x10",
        "old": bytes(32),
    }
    assert repr(keyring.first()) == "MasterKey(id='new')"


def test_a_file_that_changed_is_read_again_and_one_that_does_not_serve_is_not(tmp_path: Path) -> None:
    path = file_of(tmp_path, LINE)
    keyring = Keyring(path)
    line = new_line()
    path.write_text(f"{line}\n{LINE}\n")
    assert list(keyring.all()) == [line.partition(":")[0], "old"]
    path.write_text("half of a li")
    assert list(keyring.all()) == [line.partition(":")[0], "old"]
    path.unlink()
    assert keyring.first().id == line.partition(":")[0]


def test_without_a_key_it_says_what_to_do() -> None:
    with pytest.raises(Precondition) as error:
        Keyring().first()
    assert error.value.reason == "SECRETS_NOT_CONFIGURED"
    assert error.value.message == (
        "this server has no key to keep secrets with: its operator makes one with `shipliftd new-key`, and"
        " gives the server the file with --secret-key-file"
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], f"has no key: {WANTED}"),
        (["# none"], f"has no key: {WANTED}"),
        ([LINE, "hunter2"], f", line 2: is no key: {WANTED}"),
        (["new:aHVudGVyMg=="], f", line 1: is no key: {WANTED}"),
        (["a b:" + "A" * 43 + "="], f", line 1: is no key: {WANTED}"),
        ([LINE, LINE], ", line 2: there is a key 'old' before it already"),
    ],
)
def test_a_file_that_does_not_serve_is_refused_without_what_stands_in_it(
    lines: list[str], told: str, tmp_path: Path
) -> None:
    path = file_of(tmp_path, *lines)
    between = " " if told.startswith("has") else ""
    with pytest.raises(Precondition) as error:
        Keyring(path)
    assert error.value.message == f"--secret-key-file {path}{between}{told}"


def test_the_server_does_not_start_with_a_file_that_others_may_read_or_with_two_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, LINE, mode=0o640)
    serve = ("serve", "--database", tmp_path / "shiplift.db", "--secret-key-file", path)
    assert refusal(*serve) == (
        f"--secret-key-file {path} can be read or written by others: chmod 600 it, it opens every secret"
    )
    path.chmod(0o600)
    monkeypatch.setenv("SHIPLIFTD_SECRET_KEY", LINE)
    assert refusal(*serve) == (
        "--secret-key-file and SHIPLIFTD_SECRET_KEY are both given: give one of them"
    )
    path.unlink()
    monkeypatch.delenv("SHIPLIFTD_SECRET_KEY")
    told = f"--secret-key-file {path} cannot be read: {os.strerror(2)}"
    assert refusal(*serve) == told


def test_new_key_prints_another_line_each_time() -> None:
    one, other = said("new-key"), said("new-key")
    assert one != other
    assert [*Keyring(text=one + other).all()] == [one.partition(":")[0], other.partition(":")[0]]
