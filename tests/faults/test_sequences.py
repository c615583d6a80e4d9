"""Any sequence of calls: the server answers, refuses and stores as a plain model of it in memory says.

On PostgreSQL a server on SQLite is called alike, and has to answer the same, word for word.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)
from shiplift.v1 import access_pb2, builds_pb2, environments_pb2, stages_pb2

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.alike import ADMIN, Alike, InFile
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.model import ENDED, Made, Model
from tests.support.repository import COMMIT
from tests.support.staged import word

OK = grpc.StatusCode.OK
NOT_FOUND, DENIED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED
ABORTED, EXISTS = grpc.StatusCode.ABORTED, grpc.StatusCode.ALREADY_EXISTS
UNKNOWN, PRECONDITION = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.FAILED_PRECONDITION
LEVELS = ("", "read", "write", "admin")
ENVIRONMENTS = st.sampled_from(["qa", "production", "eu/staging"])
# All of them, too.
PLACES = st.sampled_from(["", "qa", "production"])
LOGINS = st.sampled_from(["ann", "bob"])
REQUEST_IDS = st.sampled_from(["", "", "one", "two"])
# Of a build that is there, counted from the newest; or of one that is not.
BACK = st.integers(-1, 6)
REPORTED = st.sampled_from(["running", "success", "failure", "error", "killed"])


class Sequences(RuleBasedStateMachine):
    """Calls of a repository of its own, each compared with the model."""

    tokens = Bundle("tokens")

    def __init__(self, calls: Alike, runner: int, number: int) -> None:
        super().__init__()
        self.calls, self.runner, self.model = calls, runner, Model()
        self.named: dict[str, Any] = {"owner": "octocat", "repo": f"r{number}"}

    @initialize()
    def begin(self) -> None:
        """Makes the repository."""
        self.call("CreateRepository", access_pb2.CreateRepositoryRequest(**self.named))
        self.record("success")

    def call(self, rpc: str, request: Message, expected: grpc.StatusCode = OK, token: int = ADMIN) -> Any:  # noqa: ANN401
        """Makes a call, which has to end so."""
        code, answer = self.calls.made(rpc, request, token)
        assert code == expected, (code, request)
        return answer

    def once(
        self,
        rpc: str,
        request: Any,  # noqa: ANN401
        expected: grpc.StatusCode,
        make: Callable[[], Made],
        who: tuple[str, int] = ("admin", ADMIN),
    ) -> None:
        """Makes a call that makes a build, unless it was made before under its request_id."""
        login, token = who
        key = (login, type(request).__name__, request.request_id)
        body, number = self.model.seen.get(key, (request, 0))
        if key in self.model.seen and expected not in (
            UNKNOWN,
            DENIED,
            NOT_FOUND if login != "admin" else None,
        ):
            expected = OK if body == request else EXISTS
        answer = self.call(rpc, request, expected, token)
        if expected != OK:
            return
        made = self.model.builds[number] if number else make()
        made.stage = answer.stages[0].id
        if request.request_id:
            self.model.seen[key] = request, made.number
        self.compare(answer, made)

    def compare(self, build: builds_pb2.Build, made: Made) -> None:
        """A build as it is answered."""
        told = (
            build.number,
            build.parent,
            build.deploy_to,
            dict(build.params),
            word(build.status),
            build.retry_of,
        )
        assert told == (made.number, made.parent, made.deploy_to, made.params, made.status, made.retry_of)

    def request_id(self, request_id: str) -> str:
        """An id that only this sequence has."""
        return request_id and f"{self.named['repo']} {request_id}"

    @rule(status=st.sampled_from(["pending", "running", "success", "failure"]))
    def record(self, status: str) -> None:
        """A CI system records a build."""
        request = builds_pb2.CreateBuildRequest(
            **self.named, after=COMMIT, status=f"BUILD_STATUS_{status.upper()}", params={"FROM": "ci"}
        )
        self.once(
            "CreateBuild",
            request,
            OK,
            lambda: self.model.make(0, "", {"FROM": "ci"}, status),
        )

    def promotion(
        self,
        back: int,
        environment: str,
        request_id: str,
        **fields: Any,  # noqa: ANN401
    ) -> tuple[Any, Callable[[], Made]]:
        """A request to promote, and what the model makes of it."""
        parent = self.model.number(back)
        request = builds_pb2.PromoteRequest(
            **self.named, build=parent, target=environment, request_id=self.request_id(request_id), **fields
        )

        def make() -> Made:
            params = {**self.model.builds[parent].params, **request.params}
            return self.model.make(parent, environment, params, "pending")

        return request, make

    @rule(
        back=BACK,
        environment=ENVIRONMENTS,
        request_id=REQUEST_IDS,
        params=st.dictionaries(st.sampled_from(["A", "FROM"]), st.text("ab \n", max_size=3)),
        expected=st.sampled_from([None, None, "current", "other"]),
    )
    def promote(
        self, back: int, environment: str, request_id: str, params: dict[str, str], expected: str | None
    ) -> None:
        """The admin promotes, perhaps as a repetition, perhaps in the belief that something is there."""
        current = self.model.current.get(environment, 0)
        believed = {None: None, "current": current, "other": current + 1}[expected]
        request, make = self.promotion(
            back, environment, request_id, params=params, expected_current=believed
        )
        code = (
            NOT_FOUND if request.build not in self.model.builds else ABORTED if expected == "other" else OK
        )
        if code == OK and self.model.is_held(environment):
            code = PRECONDITION
        self.once("PromoteBuild", request, code, make)

    @rule(token=tokens, back=st.integers(0, 3), environment=ENVIRONMENTS, request_id=REQUEST_IDS)
    def promote_as(self, token: tuple[str, int], back: int, environment: str, request_id: str) -> None:
        """A user tries to promote."""
        request, make = self.promotion(back, environment, request_id)
        code = self.model.needs_write(token[0])
        if code == OK and self.model.is_held(environment):
            code = PRECONDITION
        self.once("PromoteBuild", request, code, make, token)

    @rule(back=BACK, environment=ENVIRONMENTS)
    def explain(self, back: int, environment: str) -> None:
        """Somebody asks what would become of a promotion, which makes nothing."""
        request, _ = self.promotion(back, environment, "")
        is_there = request.build in self.model.builds
        answer = self.call("ExplainPromotion", request, OK if is_there else NOT_FOUND)
        if is_there:
            failed = [each.gate for each in answer.verdicts if each.result != builds_pb2.GATE_RESULT_PASSED]
            assert failed == (["hold"] if self.model.is_held(environment) else [])

    @rule(environment=PLACES)
    def hold(self, environment: str) -> None:
        """Somebody stops an environment, or all of them."""
        request = environments_pb2.HoldEnvironmentRequest(
            **self.named, environment=environment, reason="we look"
        )
        assert self.call("HoldEnvironment", request).reason == "we look"
        self.model.held.add(environment)

    @rule(environment=PLACES)
    def resume(self, environment: str) -> None:
        """Somebody takes a hold back, if there is one in just these words."""
        request = environments_pb2.ResumeEnvironmentRequest(**self.named, environment=environment)
        self.call("ResumeEnvironment", request, OK if environment in self.model.held else NOT_FOUND)
        self.model.held.discard(environment)

    @rule(back=BACK, request_id=REQUEST_IDS)
    def retry(self, back: int, request_id: str) -> None:
        """A build is tried again."""
        number = self.model.number(back)
        tried = self.model.builds.get(number)
        request = builds_pb2.RetryBuildRequest(
            **self.named, build=number, request_id=self.request_id(request_id)
        )
        code = NOT_FOUND if tried is None else OK
        if (
            tried is not None
            and tried.deploy_to
            and (tried.status not in ENDED or self.model.is_held(tried.deploy_to))
        ):
            code = PRECONDITION

        def make() -> Made:
            assert tried is not None
            return self.model.make(tried.parent, tried.deploy_to, tried.params, "pending", number)

        self.once("RetryBuild", request, code, make)

    @rule(back=BACK)
    def cancel(self, back: int) -> None:
        """A build is cancelled, which changes nothing of one that has ended."""
        number = self.model.number(back)
        request = builds_pb2.CancelBuildRequest(**self.named, build=number)
        made = self.model.builds.get(number)
        answer = self.call("CancelBuild", request, OK if made else NOT_FOUND)
        if made is not None:
            if made.status not in ENDED:
                self.model.move(made, "killed")
            self.compare(answer, made)

    @rule(back=st.integers(0, 6), status=st.one_of(st.just("pending"), REPORTED))
    def report(self, back: int, status: str) -> None:
        """Somebody says how a build goes on."""
        made = self.model.builds[self.model.number(back)]
        request = builds_pb2.UpdateBuildRequest(
            **self.named, build=made.number, status=f"BUILD_STATUS_{status.upper()}"
        )
        is_back = made.status in ENDED or (made.status, status) == ("running", "pending")
        code = PRECONDITION if is_back and made.status != status else OK
        answer = self.call("UpdateBuild", request, code)
        if code == OK:
            if made.status != status:
                self.model.move(made, status)
            self.compare(answer, made)

    @rule(back=st.integers(0, 6))
    def accept(self, back: int) -> None:
        """A runner takes a stage, which one alone can, of what is promoted."""
        made = self.model.builds[self.model.number(back)]
        code = NOT_FOUND if not made.parent else OK
        if made.parent and (made.status != "pending" or made.is_taken):
            code = ABORTED
        request = stages_pb2.AcceptStageRequest(stage_id=made.stage, machine="box")
        self.call("AcceptStage", request, code, self.runner)
        made.is_taken |= code == OK

    @rule(back=st.integers(0, 6), status=REPORTED)
    def update_stage(self, back: int, status: str) -> None:
        """Who holds a stage says how it goes on; once it has ended, nothing changes any more."""
        made = self.model.builds[self.model.number(back)]
        request = stages_pb2.UpdateStageRequest(
            stage_id=made.stage, status=f"BUILD_STATUS_{status.upper()}"
        )
        self.call("UpdateStage", request, OK if made.is_taken else DENIED, self.runner)
        if made.is_taken and made.status not in (*ENDED, status):
            self.model.move(made, status)

    @rule(back=st.integers(-1, 6), environment=ENVIRONMENTS)
    def settle(self, back: int, environment: str) -> None:
        """Somebody says what is in an environment, or that nothing is."""
        number = 0 if back < 0 else self.model.number(back)
        mine = [made.number for made in self.model.builds.values() if made.deploy_to == environment]
        request = environments_pb2.SettleEnvironmentRequest(
            **self.named, environment=environment, build=number
        )
        code = OK if mine and number in (0, *mine) else NOT_FOUND
        self.call("SettleEnvironment", request, code)
        if code == OK:
            self.model.current[environment] = number

    @rule(
        statuses=st.lists(st.one_of(st.just("pending"), REPORTED), max_size=2, unique=True),
        environment=st.one_of(st.just(""), ENVIRONMENTS),
        skip=st.integers(0, 2),
    )
    def list_some(self, statuses: list[str], environment: str, skip: int) -> None:
        """Somebody asks for the builds that are so far, or that were promoted there."""
        skip = 0 if statuses else skip
        request = builds_pb2.ListBuildsRequest(
            **self.named,
            statuses=[f"BUILD_STATUS_{status.upper()}" for status in statuses],
            environment=environment,
            skip=skip,
            page_size=3,
        )
        mine = [
            number
            for number, made in sorted(self.model.builds.items(), reverse=True)
            if (not statuses or made.status in statuses) and environment in ("", made.deploy_to)
        ]
        told = self.call("ListBuilds", request)
        assert [build.number for build in told.builds] == mine[skip : skip + 3]

    @rule(login=LOGINS, level=st.sampled_from(LEVELS))
    def grant(self, login: str, level: str) -> None:
        """A user gets another level, or none any more."""
        named = {**self.named, "login": login}
        if level:
            given = access_pb2.AccessLevel.Value(f"ACCESS_LEVEL_{level.upper()}")
            request = access_pb2.GrantAccessRequest(**named, level=given)  # type: ignore[arg-type]
            assert self.call("GrantAccess", request).level == given
        else:
            self.call("RevokeAccess", access_pb2.RevokeAccessRequest(**named))
        self.model.levels[login] = level

    @rule(target=tokens, login=LOGINS)
    def make_token(self, login: str) -> tuple[str, int]:
        """A user gets a token."""
        return login, self.call("CreateToken", access_pb2.CreateTokenRequest(login=login)).id

    @rule(token=consumes(tokens), environment=ENVIRONMENTS)
    def revoke_token(self, token: tuple[str, int], environment: str) -> None:
        """A token is revoked, and works no more."""
        self.call("RevokeToken", access_pb2.RevokeTokenRequest(id=token[1]))
        request, make = self.promotion(0, environment, "")
        self.once("PromoteBuild", request, UNKNOWN, make, token)

    def teardown(self) -> None:
        """All that is stored is as it is in the model."""
        if not self.model.builds:
            return
        for number, made in self.model.builds.items():
            wanted = builds_pb2.GetBuildRequest(**self.named, build=number)
            self.compare(self.call("GetBuild", wanted), made)
        listed = self.call("ListBuilds", builds_pb2.ListBuildsRequest(**self.named, page_size=1_000))
        assert [build.number for build in listed.builds] == sorted(self.model.builds, reverse=True)
        request = environments_pb2.ListDeploymentsRequest(**self.named)
        told = self.call("ListDeployments", request).deployments
        environments = sorted({made.deploy_to for made in self.model.builds.values()} - {""})
        assert [each.environment for each in told] == environments
        for each in told:
            there = self.model.deployment(each.environment)
            assert {name: getattr(each, name).number for name in there} == there


@pytest.fixture
def calls(own_server: Shipliftd, tmp_path: Path) -> Iterator[Alike]:
    """A server of the store that is tried, and one on SQLite beside another."""
    with ExitStack() as opened:
        servers = [own_server]
        if postgres.is_in_use():
            servers.append(opened.enter_context(InFile(tmp_path / "beside.db")))
        alike = Alike(*servers)
        opened.callback(alike.close)
        yield alike


@pytest.mark.timeout(form(300, 7_200))
def test_any_sequence_of_calls_comes_out_as_in_the_model(calls: Alike, tell: Tell) -> None:
    some = settings(
        max_examples=form(40, 3_000),
        stateful_step_count=form(30, 60),
        deadline=None,
        # The same every day; something new in the long form.
        derandomize=form(True, False),
        suppress_health_check=list(HealthCheck),
    )
    for login in ("ann", "bob"):
        assert calls.made("CreateUser", access_pb2.CreateUserRequest(login=login))[0] == OK
    run = access_pb2.CreateTokenRequest(actions=[access_pb2.TOKEN_ACTION_RUN], repositories=["octocat/*"])
    runner = calls.made("CreateToken", run)[1].id
    numbers = itertools.count(1)
    run_state_machine_as_test(lambda: Sequences(calls, runner, next(numbers)), settings=some)  # type: ignore[arg-type]  # a factory does, too
    codes = ", ".join(f"{count} {code.name}" for code, count in calls.codes.most_common())
    unlike = "the model, or each other" if postgres.is_in_use() else "the model"
    tell(f"{next(numbers) - 1} sequences of {calls.codes.total()} calls ({codes}); 0 unlike {unlike}")
