"""Sealing: what is sealed opens in its place with its keys, and nowhere else."""

import base64
from collections.abc import Callable

import pytest
from shipliftd.secrets import sealing
from shipliftd.secrets.keys import Keyring, MasterKey
from shipliftd.secrets.sealing import CannotOpen, Sealed, open_sealed, seal, wrap_anew

VALUE = "hunter2-hunter2\nwith a second line, and ü"
PLACE = sealing.of_secret("octocat", "app", "production", "password")
OLD = MasterKey("old", b"o" * 32)
NEW = MasterKey("new", b"n" * 32)
KEYS = {"new": NEW, "old": OLD}
CHANGED = "it was changed or moved in the store, or its key is another one by now"


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_what_is_sealed_opens_and_shows_nothing_of_itself() -> None:
    one, other = seal(OLD, VALUE, PLACE), seal(OLD, VALUE, PLACE)
    assert open_sealed(KEYS, one, PLACE) == open_sealed(KEYS, other, PLACE) == VALUE
    assert one.key_id == "old"
    assert one.wrapped != other.wrapped
    assert one.value != other.value
    for part in one[1:]:
        assert isinstance(part, bytes)
        assert VALUE.encode() not in part
        assert base64.b64encode(VALUE.encode())[:16] not in part
    assert sealing.of_json(sealing.as_json(one)) == one


def test_wrapped_anew_it_opens_with_the_new_key_alone() -> None:
    sealed = wrap_anew(KEYS, NEW, seal(OLD, VALUE, PLACE), PLACE)
    assert sealed.key_id == "new"
    assert open_sealed({"new": NEW}, sealed, PLACE) == VALUE


@pytest.mark.parametrize(
    "tampered",
    [
        lambda sealed: sealed._replace(key_id="new"),
        lambda sealed: sealed._replace(wrapped=seal(OLD, VALUE, PLACE).wrapped),
        lambda sealed: sealed._replace(value=seal(OLD, VALUE, PLACE).value),
        lambda sealed: sealed._replace(wrapped=flipped(sealed.wrapped, 0)),
        lambda sealed: sealed._replace(wrapped=flipped(sealed.wrapped, 59)),
        lambda sealed: sealed._replace(value=flipped(sealed.value, 12)),
        lambda sealed: sealed._replace(value=sealed.value[:-1]),
        lambda sealed: sealed._replace(value=b""),
        lambda sealed: sealed._replace(wrapped=b"short"),
    ],
)
def test_what_was_tampered_with_does_not_open(tampered: Callable[[Sealed], Sealed]) -> None:
    with pytest.raises(CannotOpen) as error:
        open_sealed(KEYS, tampered(seal(OLD, VALUE, PLACE)), PLACE)
    assert str(error.value) == CHANGED


@pytest.mark.parametrize(
    "place",
    [
        sealing.of_secret("octocat", "app", "production", "token"),
        sealing.of_secret("octocat", "app", "staging", "password"),
        sealing.of_secret("octocat", "web", "production", "password"),
        sealing.of_secret("hubot", "app", "production", "password"),
        sealing.of_parameter(1, 2, "password"),
    ],
)
def test_in_another_place_it_does_not_open(place: sealing.Place) -> None:
    with pytest.raises(CannotOpen, match="changed or moved"):
        open_sealed(KEYS, seal(OLD, VALUE, PLACE), place)


def test_without_its_key_it_says_which_one_is_missing() -> None:
    sealed = seal(OLD, VALUE, PLACE)
    with pytest.raises(CannotOpen) as error:
        open_sealed(Keyring().all(), sealed, PLACE)
    assert str(error.value) == "its key 'old' is not among the server's"
