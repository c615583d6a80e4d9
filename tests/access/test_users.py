"""ListUsers, GetUser and UpdateUser: who there is, and who may still call."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2, stages_pb2

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import Refusal, code_of, invalid, refusal
from tests.support.repository import Repository, replayed
from tests.support.staged import runner_of, stored

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own, for all users are listed."""
    with Shipliftd(tmp_path / "shiplift.db") as running:
        yield running


def changing(login: str, request_id: str = "", **values: Any) -> pb.UpdateUserRequest:  # noqa: ANN401
    """A request that gives a user these values."""
    mask = FieldMask(paths=list(values))
    return pb.UpdateUserRequest(
        login=login, update_mask=mask, user=pb.User(**values), request_id=request_id
    )


def logins(users: pb.ListUsersResponse) -> list[str]:
    return [user.login for user in users.users]


def test_users_are_listed_by_login(served: Shipliftd) -> None:
    access = served.access()
    made = [access.CreateUser(pb.CreateUserRequest(login=login)) for login in ("mona", "Zoe", "hubot")]
    me = access.WhoAmI(pb.WhoAmIRequest()).user
    everybody = sorted([*made, me], key=lambda user: user.login)
    assert list(access.ListUsers(pb.ListUsersRequest()).users) == everybody
    first = access.ListUsers(pb.ListUsersRequest(page_size=3))
    assert logins(first) == ["Zoe", "admin", "hubot"]
    # What comes meanwhile shifts nothing.
    access.CreateUser(pb.CreateUserRequest(login="Anna"))
    then = pb.ListUsersRequest(page_size=3, page_token=first.next_page_token)
    assert access.ListUsers(then) == pb.ListUsersResponse(users=[made[0]])


def test_a_user_is_shown_to_site_admins_and_themselves(served: Shipliftd) -> None:
    access = served.access()
    mona = served.access(served.user("mona"))
    me = mona.WhoAmI(pb.WhoAmIRequest()).user
    assert access.GetUser(pb.GetUserRequest(login="mona")) == me
    assert mona.GetUser(pb.GetUserRequest()) == mona.GetUser(pb.GetUserRequest(login="mona")) == me
    # Whether there is such a user is not told.
    for login in ("admin", "nobody"):
        assert refusal(mona.GetUser, pb.GetUserRequest(login=login)) == Refusal(
            grpc.StatusCode.PERMISSION_DENIED,
            f"GetUser for '{login}' needs a site admin; mona is none",
            "NOT_YOURS",
        )
    assert refusal(access.GetUser, pb.GetUserRequest(login="nobody")) == Refusal(
        grpc.StatusCode.NOT_FOUND, "user nobody not found: a site admin can create one", "NO_USER"
    )


def test_what_the_mask_names_is_changed_and_nothing_else(served: Shipliftd) -> None:
    access = served.access()
    made = access.CreateUser(pb.CreateUserRequest(login="mona", email="m@example.org", machine=True))
    changed = access.UpdateUser(changing("mona", avatar="https://example.org/m.png", machine=False))
    assert changed == pb.User(
        id=made.id,
        login="mona",
        email="m@example.org",
        avatar="https://example.org/m.png",
        created=made.created,
        updated=changed.updated,
    )
    assert access.GetUser(pb.GetUserRequest(login="mona")) == changed
    request = changing("mona", email="", admin=True, disabled=True)
    request.user.avatar = "not named"
    again = access.UpdateUser(request)
    assert (again.email, again.avatar, again.admin, again.disabled) == ("", changed.avatar, True, True)
    # No change of what is so already.
    assert access.UpdateUser(request) == again


def test_a_change_is_repeated_by_its_request_id(served: Shipliftd) -> None:
    access: Any = served.access()
    access.CreateUser(pb.CreateUserRequest(login="mona"))
    request = changing("mona", "once", disabled=True)
    access.UpdateUser(request)
    enabled = access.UpdateUser(changing("mona", disabled=False))
    answer, call = access.UpdateUser.with_call(request)
    # As it stands now.
    assert (answer, replayed(call)) == (enabled, True)


def test_all_faults_of_a_change_are_told(served: Shipliftd) -> None:
    wanted = "admin, avatar, disabled, email, machine"
    access = served.access()
    request = changing("mona", "ä", email="x" * 255)
    request.update_mask.paths.append("login")
    assert refusal(access.UpdateUser, request) == invalid(
        ("update_mask", f"'login' cannot be changed: wanted {wanted}"),
        ("user.email", "has 255 characters: at most 254 are taken"),
        ("request_id", "'ä': wanted 1 to 128 printable ASCII characters"),
    )
    assert refusal(access.UpdateUser, pb.UpdateUserRequest(login="mona")) == invalid(
        ("update_mask", f"is empty: name what to change, of {wanted}")
    )


def test_a_disabled_user_is_refused_from_the_answer_on_until_enabled(repository: Repository) -> None:
    login = f"mona-{repository.name}"
    mona = repository.of(login, pb.ACCESS_LEVEL_WRITE)
    access = repository.server.access()
    mona.record()
    for _ in range(5):
        assert access.UpdateUser(changing(login, disabled=True)).disabled
        assert refusal(mona.get, 1) == Refusal(
            UNAUTHENTICATED,
            f"user {login} is disabled, and so are their tokens: a site admin can enable them,"
            f" shiplift user enable {login}",
            "USER_DISABLED",
        )
        # Those that are made meanwhile, too.
        made = access.CreateToken(pb.CreateTokenRequest(login=login))
        assert code_of(repository.seen_by(made.secret).get, 1) == UNAUTHENTICATED
        access.UpdateUser(changing(login, disabled=False))
        assert mona.get(1) == repository.seen_by(made.secret).get(1)


def test_what_a_disabled_user_has_open_ends(repository: Repository) -> None:
    login = f"mona-{repository.name}"
    stages = runner_of(repository, login).stages
    access = repository.server.access()
    repository.record()
    repository.promote(1)
    stage = repository.get(2).stages[0]
    stages.AcceptStage(stages_pb2.AcceptStageRequest(stage_id=stage.id, machine="box"))
    watch = stages.WatchStage(stages_pb2.WatchStageRequest(stage_id=stage.id))
    assert next(watch).status == builds_pb2.BUILD_STATUS_PENDING
    waiting = stages.AcquireStage.future(
        stages_pb2.AcquireStageRequest(machine="box", kind="pipeline", type="exec"), timeout=20
    )
    until(lambda: stored(repository.server, "SELECT count(*) FROM runners")[0][0] > 0)
    access.UpdateUser(changing(login, disabled=True))
    assert code_of(waiting.result) == UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as ended:
        for _ in watch:
            pass
    assert ended.value.code() == UNAUTHENTICATED


@pytest.mark.parametrize("way", [{"disabled": True}, {"admin": False}, {"admin": True, "disabled": True}])
def test_the_last_site_admin_stays(served: Shipliftd, way: dict[str, Any]) -> None:
    access = served.access()
    told = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "user admin is the last site admin who is not disabled, and stays so: make another one first",
        "LAST_SITE_ADMIN",
        (("admin", "is the last site admin who is not disabled"),),
    )
    assert refusal(access.UpdateUser, changing("admin", **way)) == told
    access.CreateUser(pb.CreateUserRequest(login="root", admin=True))
    access.UpdateUser(changing("root", disabled=True))
    # One who cannot call is none.
    assert refusal(access.UpdateUser, changing("admin", **way)) == told
    access.UpdateUser(changing("root", disabled=False))
    access.UpdateUser(changing("admin", email="a@example.org", **way))
    assert code_of(access.ListUsers, pb.ListUsersRequest()) in (
        UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
