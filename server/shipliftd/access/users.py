"""Users: the verbs."""

from collections.abc import Collection

from shiplift.v1 import access_pb2 as pb

from shipliftd.access import cuts
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.errors import AlreadyExists, Denied, NotFound, Precondition
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.models import User
from shipliftd.store.transaction import Reader, Transaction

_MOST_CHARACTERS = {"email": 254, "avatar": 2000}
_CHANGEABLE = ("admin", "avatar", "disabled", "email", "machine")
# What decides what a user may do, everywhere.
_OF_POWER = frozenset({"admin", "disabled"})


def user(reader: Reader, _caller: Caller, user_id: int) -> User:
    """A user who is known to be there."""
    return reader.by_id(User, user_id)


def user_named(reader: Reader, login: str, field: str = "login") -> User:
    """The user of this login. Raises Invalid, NotFound."""
    faults = Faults()
    faults.name(field, login)
    faults.refuse()
    found = reader.get(User, User.login == login)
    if found is None:
        raise NotFound(
            f"user {login} not found: a site admin can create one",
            reason="NO_USER",
            metadata={"login": login},
        )
    return found


def whose(reader: Reader, caller: Caller, login: str) -> User:
    """The user of this login, the caller where it is empty. Raises Invalid, NotFound."""
    if not login or login == caller.login:
        return user(reader, caller, caller.user_id)
    return user_named(reader, login)


def require_own(caller: Caller, login: str) -> None:
    """Raises Denied where this is about another user, and the caller may have to do with none."""
    if login and login != caller.login and not is_for_others(caller):
        why = "this token is cut to repositories" if caller.site_admin else f"{caller.login} is none"
        raise Denied(
            f"{caller.method} for {login[:100]!r} needs a site admin; {why}",
            reason="NOT_YOURS",
            metadata={"method": caller.method, "login": login},
        )


def is_for_others(caller: Caller) -> bool:
    """Whether the caller may have to do with other users and their tokens, which reach everywhere."""
    return caller.site_admin and not (caller.cut is not None and caller.cut.repositories)


def get_user(reader: Reader, caller: Caller, request: pb.GetUserRequest) -> User:
    """One user. Raises Invalid, Denied, NotFound."""
    require_own(caller, request.login)
    return whose(reader, caller, request.login)


def list_users(reader: Reader, _caller: Caller, request: pb.ListUsersRequest) -> list[User]:
    """The users: a page and one more, by login. Raises Invalid."""
    most = pages.size(request.page_size)
    key = pages.after(reader, request, request.page_token)
    query = User.select()
    if key is not None:
        query = query.where(User.login > key[0])
    return reader.all(query.order_by(User.login).limit(most + 1))


def _not_beyond_its_maker(_tx: Transaction, caller: Caller, request: pb.CreateUserRequest) -> None:
    if request.admin:
        cuts.require_level(caller, pb.ACCESS_LEVEL_SITE_ADMIN)


@write(load=user, look=_not_beyond_its_maker, tells="access")
def create_user(tx: Transaction, _caller: Caller, request: pb.CreateUserRequest) -> Written[User]:
    """Creates a user. Raises Invalid, AlreadyExists."""
    faults = Faults()
    faults.name("login", request.login)
    _check_texts(request, _MOST_CHARACTERS, faults)
    faults.refuse()
    if tx.get(User, User.login == request.login) is not None:
        raise AlreadyExists(f"user {request.login} exists already", metadata={"login": request.login})
    at = now()
    made = tx.execute(
        User.insert(
            login=request.login,
            email=request.email,
            avatar=request.avatar,
            machine=request.machine,
            admin=request.admin,
            created=at,
            updated=at,
        )
    )
    return Written(tx.by_id(User, made))


def _check_texts(
    said: pb.CreateUserRequest | pb.User, names: Collection[str], faults: Faults, at: str = ""
) -> None:
    for name, most in _MOST_CHARACTERS.items():
        if name in names:
            faults.text(at + name, getattr(said, name), most)


def _not_beyond_power(_tx: Transaction, caller: Caller, request: pb.UpdateUserRequest) -> None:
    if not _OF_POWER.isdisjoint(request.update_mask.paths):
        cuts.require_level(caller, pb.ACCESS_LEVEL_SITE_ADMIN)


@write(load=user, look=_not_beyond_power, tells="access")
def update_user(tx: Transaction, _caller: Caller, request: pb.UpdateUserRequest) -> Written[User]:
    """Changes what the mask names. Raises Invalid, NotFound, Precondition (the last site admin)."""
    faults = Faults()
    faults.name("login", request.login)
    named = faults.mask("update_mask", request.update_mask, _CHANGEABLE)
    _check_texts(request.user, named, faults, "user.")
    faults.refuse()
    found = user_named(tx, request.login)
    columns = {name: getattr(request.user, name) for name in named}
    if any(getattr(found, column) != value for column, value in columns.items()):
        _require_another_admin(tx, found, columns)
        tx.execute(User.update(**columns, updated=now()).where(User.id == found.id))
    return Written(tx.by_id(User, found.id))


def _require_another_admin(tx: Transaction, found: User, columns: dict[str, object]) -> None:
    """Raises Precondition where no site admin would be left who is not disabled."""
    stays = columns.get("admin", True) and not columns.get("disabled", False)
    if stays or not found.admin or found.disabled:
        return
    if tx.get(User, User.admin, ~User.disabled, User.id != found.id) is None:
        raise Precondition(
            f"user {found.login} is the last site admin who is not disabled, and stays so: make another"
            " one first",
            reason="LAST_SITE_ADMIN",
            violations=[(found.login, "is the last site admin who is not disabled")],
            metadata={"login": found.login},
        )
