"""The clients' methods, generated from `protos/` by `protos/generate_client.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from shiplift import _values
from shiplift.v1 import (
    access_pb2,
    access_pb2_grpc,
    builds_pb2,
    builds_pb2_grpc,
    environments_pb2,
    environments_pb2_grpc,
    secrets_pb2,
    secrets_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
    stages_pb2,
    stages_pb2_grpc,
)

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

AccessLevelWord: TypeAlias = Literal[
    "anyone",
    "user",
    "read",
    "write",
    "admin",
    "site_admin",
    "runner",
]
BuildEventWord: TypeAlias = Literal[
    "push",
    "pull_request",
    "tag",
    "cron",
    "custom",
    "promote",
    "rollback",
]
BuildStatusWord: TypeAlias = Literal[
    "skipped",
    "blocked",
    "declined",
    "waiting_on_dependencies",
    "pending",
    "running",
    "success",
    "failure",
    "killed",
    "error",
]
BuildViewWord: TypeAlias = Literal[
    "basic",
    "full",
]
HoldScopeWord: TypeAlias = Literal[
    "all",
    "automatic",
]
TokenActionWord: TypeAlias = Literal[
    "read",
    "record",
    "promote",
    "approve",
    "run",
    "admin",
    "rollback",
]
VisibilityWord: TypeAlias = Literal[
    "private",
    "internal",
    "public",
]


class Methods:
    """A method for every rpc."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._access_service = access_pb2_grpc.AccessServiceStub(channel)
        self._build_service = builds_pb2_grpc.BuildServiceStub(channel)
        self._environment_service = environments_pb2_grpc.EnvironmentServiceStub(channel)
        self._secret_service = secrets_pb2_grpc.SecretServiceStub(channel)
        self._server_service = server_pb2_grpc.ServerServiceStub(channel)
        self._stage_service = stages_pb2_grpc.StageServiceStub(channel)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        timeout: float | None,
    ) -> R:
        raise NotImplementedError

    def _stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Q, R],
        request: Q,
        timeout: float | None,
    ) -> Iterator[R]:
        raise NotImplementedError

    def create_repository(
        self,
        *,
        owner: str,
        repo: str,
        visibility: access_pb2.Visibility | VisibilityWord | None = None,
        scm: str = "",
        git_http_url: str = "",
        git_ssh_url: str = "",
        link: str = "",
        default_branch: str = "",
        config_path: str = "",
        timeout: timedelta | None = None,
        request_id: str | None = None,
        call_timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Registers a repository, so that its builds can be recorded and promoted. Needs admin on all
        of the owner's repositories (a grant on `owner/*`) or a site admin. ALREADY_EXISTS when the
        owner has a repository of this name.

        Args:
            owner: The owner: 1 to 100 of letters, digits, `.`, `_`, `-`; not `.` or `..`.
            repo: The name, by the same rule.
            visibility: Who can see it without a grant; private when unset.
            scm: The kind of source control, at most 32 characters; `git` when empty.
            git_http_url: Where to clone it over HTTP: `https://HOST/PATH` (or http) without
                credentials, which its readers would see; at most 2,000 characters.
            git_ssh_url: Where to clone it over SSH: `USER@HOST:PATH` or `ssh://USER@HOST/PATH`
                without a password; at most 2,000 characters.
            link: Its page in a browser, at most 2,000 characters.
            default_branch: The branch that `latest` means, at most 255 characters; `main` when
                empty.
            config_path: Where its pipeline file is, at most 1,000 characters; `.drone.yml` when
                empty.
            timeout: How long a build may take: whole minutes, from 1 minute to 7 days; an hour when
                unset.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. The same
                id with the same request returns the repository that the first call made; with
                another request it is ALREADY_EXISTS. A fresh UUID when None.
            call_timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.CreateRepository,
            access_pb2.CreateRepositoryRequest(
                owner=owner,
                repo=repo,
                visibility=_values.enum(access_pb2.Visibility.DESCRIPTOR, "visibility", visibility),
                scm=scm,
                git_http_url=git_http_url,
                git_ssh_url=git_ssh_url,
                link=link,
                default_branch=default_branch,
                config_path=config_path,
                timeout=timeout,
                request_id=request_id or str(uuid4()),
            ),
            call_timeout,
        )

    def get_repository(
        self,
        *,
        owner: str,
        repo: str,
        timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Returns one repository, with what the caller may do there.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.GetRepository,
            access_pb2.GetRepositoryRequest(
                owner=owner,
                repo=repo,
            ),
            timeout,
        )

    def update_repository(
        self,
        *,
        owner: str,
        repo: str,
        update_mask: Sequence[str],
        repository: access_pb2.Repository | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Changes the settings of a repository that `update_mask` names, and returns it. A setting
        that is already so is no change.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            update_mask: The settings to change, each the name of a field of Repository that is not
                "Output only": active, config_path, default_branch, git_http_url, git_ssh_url, link,
                runner_secrets, timeout, visibility.
            repository: The settings' new values, by the rules of CreateRepositoryRequest; one that
                is empty there gets the default that it has there. Fields that `update_mask` does
                not name count for nothing.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.UpdateRepository,
            access_pb2.UpdateRepositoryRequest(
                owner=owner,
                repo=repo,
                update_mask=FieldMask(paths=update_mask),
                repository=_values.message(access_pb2.Repository, "repository", repository),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def list_repositories(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListRepositoriesResponse:
        """Lists the repositories that the caller may read, by owner and name. Without a token these
        are the public ones.

        Args:
            owner: Only this owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.ListRepositories,
            access_pb2.ListRepositoriesRequest(
                owner=owner,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_repositories(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[access_pb2.Repository]:
        """Lists the repositories that the caller may read, by owner and name. Without a token these
        are the public ones.

        Asks for a page when the one before has been used up.

        Args:
            owner: Only this owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListRepositoriesRequest(
            owner=owner,
            page_size=page_size,
        )
        while True:
            page = self._call(self._access_service.ListRepositories, request, timeout)
            yield from page.repositories
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def create_user(
        self,
        *,
        login: str,
        email: str = "",
        avatar: str = "",
        machine: bool = False,
        admin: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Creates a user: a person, or a machine user for a service. ALREADY_EXISTS when the login is
        taken. A site admin is not made by a token that is cut down to environments or some actions.

        Args:
            login: The login: 1 to 100 of letters, digits, `.`, `_`, `-`; not `.` or `..`.
            email: The mail address, at most 254 characters.
            avatar: The address of a picture, at most 2,000 characters.
            machine: Whether this is a service and not a person.
            admin: Whether the user becomes a site admin.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.CreateUser,
            access_pb2.CreateUserRequest(
                login=login,
                email=email,
                avatar=avatar,
                machine=machine,
                admin=admin,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def create_token(
        self,
        *,
        login: str = "",
        name: str = "",
        actions: Sequence[access_pb2.TokenAction | TokenActionWord] = (),
        repositories: Sequence[str] = (),
        environments: Sequence[str] = (),
        expires: datetime | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Token:
        """Creates a token for the caller, or, for a site admin, for another user. The secret is in
        this answer only: the server keeps its SHA-256 and its first characters. A token that is
        itself cut down can only make tokens that are cut at least as far and expire no later.

        Args:
            login: Whose token it becomes; the caller's own when empty. Another user's needs a site
                admin.
            name: What it is for, at most 100 characters.
            actions: Cuts it to these actions; empty: all.
            repositories: Cuts it to these repositories, each `owner/repo` or `owner/*`, at most
                100; empty: all.
            environments: Cuts what it does in environments to these, at most 100; empty: all. By
                the rule of PromoteRequest's target.
            expires: When it stops working, in the future; unset: never.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A repeat
                returns the token without its secret. A fresh UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.CreateToken,
            access_pb2.CreateTokenRequest(
                login=login,
                name=name,
                actions=[
                    _values.enum(access_pb2.TokenAction.DESCRIPTOR, "actions", item) for item in actions
                ],
                repositories=repositories,
                environments=environments,
                expires=_values.timestamp("expires", expires),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def list_tokens(
        self,
        *,
        login: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListTokensResponse:
        """Lists the caller's tokens, or, for a site admin, another user's: newest first, without
        secrets, revoked and expired ones included. To a token that is cut down, only those within
        its cuts.

        Args:
            login: Whose; the caller's own when empty. Another user's needs a site admin.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.ListTokens,
            access_pb2.ListTokensRequest(
                login=login,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_tokens(
        self,
        *,
        login: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[access_pb2.Token]:
        """Lists the caller's tokens, or, for a site admin, another user's: newest first, without
        secrets, revoked and expired ones included. To a token that is cut down, only those within
        its cuts.

        Asks for a page when the one before has been used up.

        Args:
            login: Whose; the caller's own when empty. Another user's needs a site admin.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListTokensRequest(
            login=login,
            page_size=page_size,
        )
        while True:
            page = self._call(self._access_service.ListTokens, request, timeout)
            yield from page.tokens
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def revoke_token(
        self,
        *,
        id: int,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Token:
        """Revokes one of the caller's tokens, or, for a site admin, anybody's. It stops working with
        the answer. Revoking a revoked token changes nothing. A token that is cut down revokes only
        those within its cuts, itself among them.

        Args:
            id: The token's id. One that is not the caller's is NOT_FOUND, but to a site admin.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.RevokeToken,
            access_pb2.RevokeTokenRequest(
                id=id,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def grant_access(
        self,
        *,
        owner: str,
        repo: str,
        login: str,
        level: access_pb2.AccessLevel | AccessLevelWord,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Grant:
        """Gives a user a level on a repository, or on all of an owner's; replaces the level that they
        had there by the same kind of grant. Neither may be beyond what the caller's token, if it is
        cut down, may give.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for all of the owner's, later ones included.
            login: Who gets it; NOT_FOUND when there is no such user.
            level: ACCESS_LEVEL_READ, ACCESS_LEVEL_WRITE or ACCESS_LEVEL_ADMIN.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.GrantAccess,
            access_pb2.GrantAccessRequest(
                owner=owner,
                repo=repo,
                login=login,
                level=_values.enum(access_pb2.AccessLevel.DESCRIPTOR, "level", level),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def revoke_access(
        self,
        *,
        owner: str,
        repo: str,
        login: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Grant:
        """Takes a grant back. Returns it with its level unset. Taking back what is not there changes
        nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grant on all of the owner's.
            login: Whose grant; NOT_FOUND when there is no such user.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.RevokeAccess,
            access_pb2.RevokeAccessRequest(
                owner=owner,
                repo=repo,
                login=login,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def list_access(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListAccessResponse:
        """Lists the grants on a repository, those on all of its owner's repositories included, by
        login.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grants on all of the owner's alone.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.ListAccess,
            access_pb2.ListAccessRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_access(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[access_pb2.Grant]:
        """Lists the grants on a repository, those on all of its owner's repositories included, by
        login.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grants on all of the owner's alone.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListAccessRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = self._call(self._access_service.ListAccess, request, timeout)
            yield from page.grants
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def who_am_i(
        self,
        *,
        timeout: float | None = None,
    ) -> access_pb2.WhoAmIResponse:
        """Returns the caller's user and token.

        Args:
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.WhoAmI,
            access_pb2.WhoAmIRequest(),
            timeout,
        )

    def list_users(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListUsersResponse:
        """Lists the users, disabled ones included, by login.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.ListUsers,
            access_pb2.ListUsersRequest(
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_users(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[access_pb2.User]:
        """Lists the users, disabled ones included, by login.

        Asks for a page when the one before has been used up.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListUsersRequest(
            page_size=page_size,
        )
        while True:
            page = self._call(self._access_service.ListUsers, request, timeout)
            yield from page.users
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_user(
        self,
        *,
        login: str = "",
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Returns the caller's user, or, for a site admin, another one.

        Args:
            login: Whom; the caller when empty. Another user needs a site admin.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.GetUser,
            access_pb2.GetUserRequest(
                login=login,
            ),
            timeout,
        )

    def update_user(
        self,
        *,
        login: str,
        update_mask: Sequence[str],
        user: access_pb2.User | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Changes what `update_mask` names of a user, and returns the user. What is already so is no
        change. The tokens of a user who is disabled work no more, as if they were revoked: calls
        are UNAUTHENTICATED (USER_DISABLED) from the answer on, and open ones end. Enabled again,
        the user has them back.

        The last site admin who is not disabled stays so (FAILED_PRECONDITION, LAST_SITE_ADMIN). A
        token that is cut down to environments or some actions changes neither `admin` nor
        `disabled`.

        Args:
            login: Whom; NOT_FOUND when there is no such user.
            update_mask: What to change, each the name of a field of User that is not "Output only":
                admin, avatar, disabled, email, machine.
            user: The new values, by the rules of CreateUserRequest. Fields that `update_mask` does
                not name count for nothing.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.UpdateUser,
            access_pb2.UpdateUserRequest(
                login=login,
                update_mask=FieldMask(paths=update_mask),
                user=_values.message(access_pb2.User, "user", user),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def list_audit_events(
        self,
        *,
        owner: str = "",
        repo: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        user: str = "",
        environment: str = "",
        method: str = "",
        outcome: str = "",
        after: int | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListAuditEventsResponse:
        """Lists what stands in the audit: writes, and writes that were refused, the newest first, once
        they are sealed (within about a second). Needs admin on the repository or on all of the
        owner's, or a site admin where neither is named. A token that is cut to environments names
        one of these.

        Args:
            owner: The repository's owner; with `repo`, or events of the whole installation are
                listed.
            repo: The repository's name, or `*` for all of the owner's.
            since: Only events from this time on.
            until: Only events before this time.
            user: Only what this user did, or was refused; NOT_FOUND when there is no such user.
            environment: Only events about this environment.
            method: Only calls of this rpc, such as `PromoteBuild`.
            outcome: `ok`, `refused`, or the name of a gRPC code, such as `PERMISSION_DENIED`.
            after: Set: the oldest first, from behind this `seq` on; 0 begins with the oldest that
                there is. Whoever goes on with `next_after` each time misses nothing and is told
                nothing twice. Unset: the newest first.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there. Not with `after`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._access_service.ListAuditEvents,
            access_pb2.ListAuditEventsRequest(
                owner=owner,
                repo=repo,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
                user=user,
                environment=environment,
                method=method,
                outcome=outcome,
                after=after,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_audit_events(
        self,
        *,
        owner: str = "",
        repo: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        user: str = "",
        environment: str = "",
        method: str = "",
        outcome: str = "",
        after: int | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[access_pb2.AuditEvent]:
        """Lists what stands in the audit: writes, and writes that were refused, the newest first, once
        they are sealed (within about a second). Needs admin on the repository or on all of the
        owner's, or a site admin where neither is named. A token that is cut to environments names
        one of these.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner; with `repo`, or events of the whole installation are
                listed.
            repo: The repository's name, or `*` for all of the owner's.
            since: Only events from this time on.
            until: Only events before this time.
            user: Only what this user did, or was refused; NOT_FOUND when there is no such user.
            environment: Only events about this environment.
            method: Only calls of this rpc, such as `PromoteBuild`.
            outcome: `ok`, `refused`, or the name of a gRPC code, such as `PERMISSION_DENIED`.
            after: Set: the oldest first, from behind this `seq` on; 0 begins with the oldest that
                there is. Whoever goes on with `next_after` each time misses nothing and is told
                nothing twice. Unset: the newest first.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListAuditEventsRequest(
            owner=owner,
            repo=repo,
            since=_values.timestamp("since", since),
            until=_values.timestamp("until", until),
            user=user,
            environment=environment,
            method=method,
            outcome=outcome,
            after=after,
            page_size=page_size,
        )
        while True:
            page = self._call(self._access_service.ListAuditEvents, request, timeout)
            yield from page.events
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def promote_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Promotes a build to an environment: creates a new build of event `promote` with the promoted
        one as its parent, the same commit, and fresh pending stages. An answer means that it is
        stored.

        The gates of the environment decide whether it is refused, waits, or goes on at once
        (docs/gates.md): while it waits for people it is blocked, for time or another promotion
        pending, and `waiting_for` says so.

        INVALID_ARGUMENT names every bad field and parameter at once; NOT_FOUND: no such build;
        ABORTED: another build than `expected_current` is in the environment; FAILED_PRECONDITION:
        the build has no commit, or gates failed: the message and the violations name each of them.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.PromoteBuild,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    def create_build(
        self,
        *,
        owner: str,
        repo: str,
        number: int | None = None,
        external_id: str = "",
        event: builds_pb2.BuildEvent | BuildEventWord | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        action: str = "",
        link: str = "",
        title: str = "",
        message: str = "",
        before: str = "",
        after: str = "",
        ref: str = "",
        source_repo: str = "",
        source: str = "",
        target: str = "",
        author_login: str = "",
        author_name: str = "",
        author_email: str = "",
        author_avatar: str = "",
        sender: str = "",
        cron: str = "",
        debug: bool = False,
        params: Mapping[str, str] | None = None,
        timestamp: datetime | None = None,
        started: datetime | None = None,
        finished: datetime | None = None,
        release: str = "",
        artifacts: Sequence[builds_pb2.Artifact | Mapping[str, Any]] = (),
        stages: Sequence[builds_pb2.StageSpec | Mapping[str, Any]] = (),
        request_id: str | None = None,
        pipeline: str = "",
        run: bool = False,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Records a build that a CI system made or, with `run`, one that runners are to make.
        Recording an `external_id` again returns the build that has it, unchanged, with the trailing
        metadata `shiplift-replayed: true`.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            number: A number of the caller's choice, 1 to 2,000,000,000, to import a history: needs
                admin, must be free (ALREADY_EXISTS), and moves the repository's counter up to it.
                Unset: the next one.
            external_id: What the CI system calls the build, such as `jenkins/app#1043`, or a run's
                id and attempt; at most 200 characters, unique in the repository. Recording it again
                returns the build that has it.
            event: What brought the build about; push when unset. PROMOTE and ROLLBACK are refused:
                those are PromoteBuild's and RollbackBuild's to make.
            status: How far the build is: PENDING (also when unset), RUNNING, SUCCESS, FAILURE,
                ERROR or KILLED.
            action: The event in finer words, at most 100 characters.
            link: A page about the change or the CI system's run, at most 2,000 characters.
            title: The change's title, at most 2,000 characters.
            message: The commit's message, at most 64 KiB.
            before: The commit before the change, at most 64 hexadecimal digits; kept in lower case.
            after: The commit that was built, at most 64 hexadecimal digits; kept in lower case. A
                build without one is not promoted, and has a warning that says so.
            ref: The git reference, such as `refs/heads/main`, at most 500 characters.
            source_repo: The repository that the change comes from, at most 500 characters.
            source: The git branch that the change comes from, at most 500 characters.
            target: The git branch that the change goes to, at most 500 characters. NOT an
                environment.
            author_login: The commit author's login, at most 200 characters.
            author_name: The commit author's name, at most 200 characters.
            author_email: The commit author's mail address, at most 254 characters.
            author_avatar: The address of the commit author's picture, at most 2,000 characters.
            sender: Who caused the event at the source host, at most 200 characters.
            cron: The schedule's name, at most 200 characters.
            debug: Whether the runner is to log in more detail.
            params: Parameters of the build, which promotions inherit; by the rules of
                PromoteRequest's.
            timestamp: When the event happened at the source host.
            started: When the build began to run; now when the status says that it did.
            finished: When the build ended, not before it began; now when the status says that it
                did.
            release: The release that it is, such as `v1.4.2`; at most 100 characters, not digits
                alone.
            artifacts: What it produced, at most 50, their names unique.
            stages: Its stages, at most 100, numbered in this order, their names unique. Promotions
                of the build get fresh copies. When there are none, the build has one stage
                `default` of kind `external`. At most 256 KiB together with the artifacts.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            pipeline: The pipeline file, Drone's YAML, at most 1 MiB: promotions of the build get
                their stages from it. The build itself gets those that match its event, unless
                `stages` are given; where none matches it has one stage `default` of kind
                `external`. INVALID_ARGUMENT names line and column of each fault.
            run: Has runners do the build: its stages are those of the pipeline file that match its
                event. The branch is `target`, the default one when empty, and gives `source` and
                `ref` where they are empty; without `after` the commit, its message, author and link
                are those of the newest build recorded of the branch; without `pipeline` the file is
                the newest recorded for the branch, else for the default one. The newest 1,000
                builds of a branch are looked through. FAILED_PRECONDITION: there is no commit, no
                file, or no pipeline of it matches. Goes with no `stages`, and no `status` but
                PENDING.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.CreateBuild,
            builds_pb2.CreateBuildRequest(
                owner=owner,
                repo=repo,
                number=number,
                external_id=external_id,
                event=_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "event", event),
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                action=action,
                link=link,
                title=title,
                message=message,
                before=before,
                after=after,
                ref=ref,
                source_repo=source_repo,
                source=source,
                target=target,
                author_login=author_login,
                author_name=author_name,
                author_email=author_email,
                author_avatar=author_avatar,
                sender=sender,
                cron=cron,
                debug=debug,
                params=_values.texts("params", params),
                timestamp=_values.timestamp("timestamp", timestamp),
                started=_values.timestamp("started", started),
                finished=_values.timestamp("finished", finished),
                release=release,
                artifacts=_values.messages(builds_pb2.Artifact, "artifacts", artifacts),
                stages=_values.messages(builds_pb2.StageSpec, "stages", stages),
                request_id=request_id or str(uuid4()),
                pipeline=pipeline,
                run=run,
            ),
            timeout,
        )

    def update_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        started: datetime | None = None,
        finished: datetime | None = None,
        message: str | None = None,
        link: str | None = None,
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Reports how a recorded build or a promotion goes on: pending, running, then success,
        failure, error or killed. What has ended does not change again (FAILED_PRECONDITION); the
        status that it has, reported once more, changes nothing but that it keeps the leases of the
        build's stages.

        A token that is cut to actions needs `record` for a build without `deploy_to`. For one with
        it, which decides what is in an environment, it needs `promote`, or `run` and the leases of
        all of the build's stages that have not ended.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR or KILLED, and only
                onwards in this order. Its stages that have not ended go with it. Unset: as it was.
            started: When it began to run; now when the status says that it did and nobody said
                when.
            finished: When it ended, not before it began; now when the status says that it did.
            message: How it goes, in a few words, at most 2,000 characters: kept on the stages that
                go with it, and as the build's `error` when it ends in failure, error or killed. The
                commit's message stays as it is.
            link: Where the work can be watched, at most 2,000 characters: kept on the stages that
                go with it. The build's own link stays as it is.
            version: The build's version that the caller has seen: another one is ABORTED, naming
                it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.UpdateBuild,
            builds_pb2.UpdateBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                started=_values.timestamp("started", started),
                finished=_values.timestamp("finished", finished),
                message=message,
                link=link,
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def retry_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Starts a promotion, a rollback or a recorded build again: a new build of the same event,
        parent, target and parameters, with fresh stages. FAILED_PRECONDITION while a promotion or
        rollback has not ended, and where its environment is uncertain by the loss of another
        promotion than this one; a build that goes to no environment can be started again while it
        runs.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            params: Parameters over those of the build; by the rules of PromoteRequest's.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            drop_params: The names of the build's parameters that the new one is to be without; by
                the rules of PromoteRequest's.
            overrides: As PromoteRequest's.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.RetryBuild,
            builds_pb2.RetryBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    def rollback_build(
        self,
        *,
        owner: str,
        repo: str,
        target: str,
        build: int | None = None,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        cancel_running: bool = False,
        comment: str = "",
        drop_params: Sequence[str] = (),
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Puts back what was in an environment before: a new build of event `rollback`, by the same
        rules as a promotion, but for those of hold, freeze, predecessor, soak and approvals, which
        are passed over and recorded. Approvals are asked for where its parameters are others than
        those with which the origin succeeded there. Without a `build` it takes the newest that
        succeeded there, of another origin than what is to be replaced, and was not itself rolled
        back. Leaves a hold of scope AUTOMATIC in the environment, so that no machine deploys over
        it.

        FAILED_PRECONDITION (NOTHING_TO_ROLL_BACK_TO): nothing else succeeded there.
        FAILED_PRECONDITION (ROLLBACK_UNDER_WAY): neither `build` nor `cancel_running` is set while
        another rollback of the environment is under way or waits.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            target: The environment.
            build: The number of what to put back: a promotion that succeeded there, or the recorded
                build of one. Unset: see the rpc.
            params: Parameters over those that it had when it last succeeded there; by the rules of
                PromoteRequest's.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: As PromoteRequest's.
            cancel_running: Stops what is in flight there, and goes at once; without it the rollback
                waits for that. Rollbacks are stopped that wait, too: what they were to put back is
                put back again, unless a `build` is named.
            comment: Why, at most 2,000 characters; kept on the build.
            drop_params: As PromoteRequest's.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.RollbackBuild,
            builds_pb2.RollbackRequest(
                owner=owner,
                repo=repo,
                target=target,
                build=build,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                cancel_running=cancel_running,
                comment=comment,
                drop_params=drop_params,
            ),
            timeout,
        )

    def explain_promotion(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.ExplainPromotionResponse:
        """Says what PromoteBuild would answer to the same request by the same caller: the verdict of
        each gate, the parameters and the stages. Stores nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.ExplainPromotion,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    def approve_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Approves a promotion that is blocked. With the last approval that it needs it goes on. By
        those whom its environment names as approvers, else by admins of the repository; never by
        whom it is from. Approving twice changes nothing. FAILED_PRECONDITION (NOT_BLOCKED): it
        waits for nobody.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            comment: What to say of it, at most 2,000 characters.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.ApproveBuild,
            builds_pb2.ApproveBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def decline_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Declines a promotion that is blocked, which is its end. By those who could approve it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            comment: Why, at most 2,000 characters.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.DeclineBuild,
            builds_pb2.DeclineBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def cancel_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Stops a build: it ends as killed, what runs is told to stop, what waits is skipped. A build
        that has ended stays as it is.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.CancelBuild,
            builds_pb2.CancelBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Returns one build with its parameters and stages, unless `view` says otherwise.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            view: How much of the build is returned; FULL when unset.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.GetBuild,
            builds_pb2.GetBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
            ),
            timeout,
        )

    def list_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        statuses: Sequence[builds_pb2.BuildStatus | BuildStatusWord] = (),
        commit: str = "",
        release: str = "",
        external_id: str = "",
        environment: str = "",
        ref: str = "",
        origin: int = 0,
        page_size: int = 0,
        page_token: str = "",
        skip: int = 0,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        trigger: str = "",
        parent: int = 0,
        timeout: float | None = None,
    ) -> builds_pb2.ListBuildsResponse:
        """Lists a repository's builds, highest number first, without their parameters and stages
        unless `view` says otherwise. Filters that are set must all match. Without a repository
        those of all that the caller may read, newest first.

        Args:
            owner: The repository's owner. Without it and `repo` the builds are those of all
                repositories that the caller may read.
            repo: The repository's name; goes with `owner`.
            events: Only builds of these events.
            statuses: Only builds of these statuses.
            commit: Only builds of this commit: `after` begins with it; 7 to 64 hexadecimal digits.
                This, `release`, `external_id`, `ref`, `origin`, `parent` and `skip` go with a
                repository.
            release: Only builds of this release.
            external_id: Only the build that has this external id.
            environment: Only promotions and rollbacks to this environment.
            ref: Only builds of this git reference.
            origin: Only this recorded build and everything promoted from it.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there, but for `skip`.
            skip: How many builds to pass over first, 0 to 1,000,000: for lists that number their
                pages. A page token costs less the further on it is. Not with `events`, `statuses`,
                `trigger`, `created_after` or `created_before` alone.
            view: How much of the builds is returned; BASIC when unset.
            created_after: Only builds created at this time or later. With `created_before` it is
                the half-open time from the one to before the other.
            created_before: Only builds created before this time.
            trigger: Only builds that the user of this login recorded or promoted.
            parent: Only promotions and rollbacks of the build of this number.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.ListBuilds,
            builds_pb2.ListBuildsRequest(
                owner=owner,
                repo=repo,
                events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
                statuses=[
                    _values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "statuses", item) for item in statuses
                ],
                commit=commit,
                release=release,
                external_id=external_id,
                environment=environment,
                ref=ref,
                origin=origin,
                page_size=page_size,
                page_token=page_token,
                skip=skip,
                view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
                created_after=_values.timestamp("created_after", created_after),
                created_before=_values.timestamp("created_before", created_before),
                trigger=trigger,
                parent=parent,
            ),
            timeout,
        )

    def iterate_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        statuses: Sequence[builds_pb2.BuildStatus | BuildStatusWord] = (),
        commit: str = "",
        release: str = "",
        external_id: str = "",
        environment: str = "",
        ref: str = "",
        origin: int = 0,
        page_size: int = 0,
        skip: int = 0,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        trigger: str = "",
        parent: int = 0,
        timeout: float | None = None,
    ) -> Iterator[builds_pb2.Build]:
        """Lists a repository's builds, highest number first, without their parameters and stages
        unless `view` says otherwise. Filters that are set must all match. Without a repository
        those of all that the caller may read, newest first.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner. Without it and `repo` the builds are those of all
                repositories that the caller may read.
            repo: The repository's name; goes with `owner`.
            events: Only builds of these events.
            statuses: Only builds of these statuses.
            commit: Only builds of this commit: `after` begins with it; 7 to 64 hexadecimal digits.
                This, `release`, `external_id`, `ref`, `origin`, `parent` and `skip` go with a
                repository.
            release: Only builds of this release.
            external_id: Only the build that has this external id.
            environment: Only promotions and rollbacks to this environment.
            ref: Only builds of this git reference.
            origin: Only this recorded build and everything promoted from it.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            skip: How many builds to pass over first, 0 to 1,000,000: for lists that number their
                pages. A page token costs less the further on it is. Not with `events`, `statuses`,
                `trigger`, `created_after` or `created_before` alone.
            view: How much of the builds is returned; BASIC when unset.
            created_after: Only builds created at this time or later. With `created_before` it is
                the half-open time from the one to before the other.
            created_before: Only builds created before this time.
            trigger: Only builds that the user of this login recorded or promoted.
            parent: Only promotions and rollbacks of the build of this number.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = builds_pb2.ListBuildsRequest(
            owner=owner,
            repo=repo,
            events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
            statuses=[
                _values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "statuses", item) for item in statuses
            ],
            commit=commit,
            release=release,
            external_id=external_id,
            environment=environment,
            ref=ref,
            origin=origin,
            page_size=page_size,
            skip=skip,
            view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
            created_after=_values.timestamp("created_after", created_after),
            created_before=_values.timestamp("created_before", created_before),
            trigger=trigger,
            parent=parent,
        )
        while True:
            page = self._call(self._build_service.ListBuilds, request, timeout)
            yield from page.builds
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def tail_log(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        stage: int = 0,
        step: int = 0,
        position: int = 0,
        follow: bool = False,
        timeout: float | None = None,
    ) -> Iterator[builds_pb2.TailLogResponse]:
        """Reads the log of a step from a position on, or of all steps of a build or of a stage. With
        `follow` it goes on as lines come, until the step, stage or build has ended, and waits for
        what has not begun; otherwise it ends with what is there. Of several steps the lines come in
        the order of stages and steps, and while they run as they come; each response is of one
        step.

        NOT_FOUND: no such build or stage, or no such step; with `follow` only once its stage has
        ended without it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            stage: The stage's number; 0 for all stages.
            step: The step's number, with `stage`; 0 for all steps.
            position: The position to begin at; 0 is the first line. Goes with `stage` and `step`
                alone: each step counts its own lines. Who comes back to several steps passes over
                what it has.
            follow: Goes on as lines come, until what is asked for has ended.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._build_service.TailLog,
            builds_pb2.TailLogRequest(
                owner=owner,
                repo=repo,
                build=build,
                stage=stage,
                step=step,
                position=position,
                follow=follow,
            ),
            timeout,
        )

    def wait_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        seen_version: int = 0,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Waits for a build to move, and returns it as GetBuild does. Answers at once where its
        version is above `seen_version`, or it has ended or is blocked; else when that comes about.
        Otherwise it returns the build as it stands: a second and a hundredth of the time before the
        call's deadline, after 30 s without one, and when the server shuts down. So whoever waits
        for the end calls again with the version of the answer.

        The version is the build's own: it goes up with its status, not with what its stages and
        steps do. These are in the answer, and TailLog follows them.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            seen_version: The build's version that the caller has seen; 0 answers at once. One that
                it never gets to, such as 2147483647, waits for the end, or for it to be blocked.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.WaitBuild,
            builds_pb2.WaitBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                seen_version=seen_version,
            ),
            timeout,
        )

    def watch_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        build: int = 0,
        environment: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        cursor: str = "",
        timeout: float | None = None,
    ) -> Iterator[builds_pb2.WatchBuildsResponse]:
        """Tells of builds as they move: of a repository's, of one build's, or of all that the caller
        may read. First come the builds that match and have not ended, as they stand (a build that
        is named by its number, ended or not), and `snapshot_end`; then every change, each once, in
        the order in which they were stored. Each of these has a cursor. Who comes back with the
        last one that it saw, to whichever replica, misses nothing and sees nothing twice; in the
        place of the snapshot is a heartbeat then. There is one every 15 s without anything else,
        too, whose cursor does as well.

        OUT_OF_RANGE (CURSOR_TOO_OLD): what came after the cursor is not kept any more: begin
        without one. RESOURCE_EXHAUSTED (READS_TOO_SLOWLY): too many changes waited to be read: come
        back with the last cursor.

        Args:
            owner: The repository's owner. Without it and `repo` it tells of all repositories that
                the caller may read.
            repo: The repository's name; goes with `owner`.
            build: Only this build, its stages and steps; the build's number, with `owner` and
                `repo`.
            environment: Only promotions and rollbacks to this environment, and what becomes of the
                environment itself.
            events: Only builds of these events, their stages and steps. Without, what becomes of
                environments is told of, too.
            cursor: The cursor of the last response that the caller saw of a watch of the same
                filters.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._build_service.WatchBuilds,
            builds_pb2.WatchBuildsRequest(
                owner=owner,
                repo=repo,
                build=build,
                environment=environment,
                events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
                cursor=cursor,
            ),
            timeout,
        )

    def diff_promotion(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.DiffPromotionResponse:
        """Says what a promotion would change in its environment: what is there, what would come, and
        what lies between. Takes what PromoteBuild takes; without `target` the build is a promotion
        or rollback itself, and is compared with what is there now. Stores nothing.

        INVALID_ARGUMENT: as PromoteBuild, and for a build without `target` that goes nowhere.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._build_service.DiffPromotion,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    def create_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Declares an environment and its rules. From the first one that is declared on, a repository
        knows its environments, and a promotion to any other is refused. ALREADY_EXISTS where it is
        declared.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment; what is "Output only" is left out.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.CreateEnvironment,
            environments_pb2.CreateEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Returns an environment with its rules. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where it is not
        declared.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.GetEnvironment,
            environments_pb2.GetEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
            ),
            timeout,
        )

    def list_environments(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> environments_pb2.ListEnvironmentsResponse:
        """Lists the environments that a repository declares, by name.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.ListEnvironments,
            environments_pb2.ListEnvironmentsRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_environments(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[environments_pb2.Environment]:
        """Lists the environments that a repository declares, by name.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListEnvironmentsRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = self._call(self._environment_service.ListEnvironments, request, timeout)
            yield from page.environments
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def update_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        update_mask: Sequence[str],
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Changes what `update_mask` names, and returns the environment. A change of rules raises
        `rules_version`, and voids the approvals of promotions that wait; these are looked at again
        at once.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment, by its `name`, with the new values.
            update_mask: The fields to change, such as `required_approvals`, whole ones: `freezes`
                puts all in the place of all.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.UpdateEnvironment,
            environments_pb2.UpdateEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                update_mask=FieldMask(paths=update_mask),
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def delete_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        request_id: str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Takes back the declaration, and returns what it was. What was promoted to it stays, and is
        listed. Where it was the last one, the repository takes any target again.
        FAILED_PRECONDITION (ENVIRONMENT_IN_USE) while promotions wait there: nothing would hold
        them back any more.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.DeleteEnvironment,
            environments_pb2.DeleteEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                request_id=request_id or str(uuid4()),
                version=version,
            ),
            timeout,
        )

    def hold_environment(
        self,
        *,
        owner: str,
        repo: str,
        reason: str,
        environment: str = "",
        scope: environments_pb2.HoldScope | HoldScopeWord | None = None,
        until: datetime | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Hold:
        """Stops promotions to an environment, to all of a repository or all of an owner, until
        ResumeEnvironment. What runs goes on; what waits goes on waiting. A hold that is there is
        replaced. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where the repository declares environments, and
        not this one.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: all of them.
            scope: Which promotions it stops; all when unset.
            reason: Why, 1 to 2,000 characters.
            until: When it ends by itself, in the future.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.HoldEnvironment,
            environments_pb2.HoldEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                scope=_values.enum(environments_pb2.HoldScope.DESCRIPTOR, "scope", scope),
                reason=reason,
                until=_values.timestamp("until", until),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def resume_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str = "",
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Hold:
        """Takes a hold back, and returns it as it was. What waited for it is looked at again at once.
        NOT_FOUND (HOLD_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: all of them.
            comment: Why, at most 2,000 characters; kept in the audit.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.ResumeEnvironment,
            environments_pb2.ResumeEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_owner_rules(
        self,
        *,
        owner: str,
        repo: str,
        timeout: float | None = None,
    ) -> environments_pb2.OwnerRules:
        """Returns the rules of all repositories of an owner.

        Args:
            owner: The owner.
            repo: A repository of theirs that the caller may read, or `*` for who may read all.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.GetOwnerRules,
            environments_pb2.GetOwnerRulesRequest(
                owner=owner,
                repo=repo,
            ),
            timeout,
        )

    def update_owner_rules(
        self,
        *,
        owner: str,
        rules: environments_pb2.OwnerRules | Mapping[str, Any],
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.OwnerRules:
        """Puts the rules of all repositories of an owner in the place of those there are.

        Args:
            owner: The owner.
            rules: The rules; what is "Output only" is left out.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.UpdateOwnerRules,
            environments_pb2.UpdateOwnerRulesRequest(
                owner=owner,
                rules=_values.message(environments_pb2.OwnerRules, "rules", rules),
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def list_deployments(
        self,
        *,
        owner: str = "",
        repo: str = "",
        environment: str = "",
        page_size: int = 0,
        page_token: str = "",
        at: datetime | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.ListDeploymentsResponse:
        """Lists what is in each environment, of a repository or of all that the caller can read: by
        owner, repository and environment.

        Args:
            owner: Only this owner's repositories.
            repo: Only this repository; goes with `owner`. NOT_FOUND where the caller may not read
                it.
            environment: Only this environment.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            at: A time that has come, in milliseconds: the list says what was where then, of each
                environment that anything had come into. Of a deployment it has `owner`, `repo`,
                `environment`, `current` (unset where nothing was there) and `since`; its builds are
                as they are now.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.ListDeployments,
            environments_pb2.ListDeploymentsRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                page_size=page_size,
                page_token=page_token,
                at=_values.timestamp("at", at),
            ),
            timeout,
        )

    def iterate_deployments(
        self,
        *,
        owner: str = "",
        repo: str = "",
        environment: str = "",
        page_size: int = 0,
        at: datetime | None = None,
        timeout: float | None = None,
    ) -> Iterator[environments_pb2.Deployment]:
        """Lists what is in each environment, of a repository or of all that the caller can read: by
        owner, repository and environment.

        Asks for a page when the one before has been used up.

        Args:
            owner: Only this owner's repositories.
            repo: Only this repository; goes with `owner`. NOT_FOUND where the caller may not read
                it.
            environment: Only this environment.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            at: A time that has come, in milliseconds: the list says what was where then, of each
                environment that anything had come into. Of a deployment it has `owner`, `repo`,
                `environment`, `current` (unset where nothing was there) and `since`; its builds are
                as they are now.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListDeploymentsRequest(
            owner=owner,
            repo=repo,
            environment=environment,
            page_size=page_size,
            at=_values.timestamp("at", at),
        )
        while True:
            page = self._call(self._environment_service.ListDeployments, request, timeout)
            yield from page.deployments
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def settle_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Deployment:
        """Says what is in an environment now, where the server cannot know: a runner was lost on the
        way there, or somebody deployed by hand. Promotions to it are taken again, as they are once
        one that was made after the loss has succeeded (PromoteRequest.despite_lost). Needs an
        environment that something was promoted to (NOT_FOUND), and a build that was promoted to it,
        or 0 for none.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            build: The number of the promotion or rollback that is there now; 0: nothing is.
            comment: Why, in a few words, at most 2,000 characters; kept in the audit.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.SettleEnvironment,
            environments_pb2.SettleEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_deployment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        timeout: float | None = None,
    ) -> environments_pb2.Deployment:
        """Returns what is in one environment. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where nothing was
        promoted to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.GetDeployment,
            environments_pb2.GetDeploymentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
            ),
            timeout,
        )

    def rehearse_policy(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        last: int = 0,
        timeout: float | None = None,
    ) -> environments_pb2.RehearsePolicyResponse:
        """Says which of the last promotions and rollbacks to an environment would have been refused or
        made to wait by other rules than it has. The gates are asked of each as things stood when it
        was made, as far as the store knows (docs/gates.md). Stores nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment with the rules that are tried, all of them; it need not be
                declared.
            last: How many promotions and rollbacks are looked at, the newest first: 1 to 1,000, and
                at most 200,000 windows of freezes together; 100 when 0.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.RehearsePolicy,
            environments_pb2.RehearsePolicyRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                last=last,
            ),
            timeout,
        )

    def list_deployment_history(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> environments_pb2.ListDeploymentHistoryResponse:
        """Lists what came into an environment, newest first: each promotion or rollback that
        succeeded, and each time that somebody said what is there. NOT_FOUND (ENVIRONMENT_NOT_FOUND)
        where nothing was promoted to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: Only what came at this time or after it.
            until: Only what came before this time.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.ListDeploymentHistory,
            environments_pb2.ListDeploymentHistoryRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_deployment_history(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[environments_pb2.Arrival]:
        """Lists what came into an environment, newest first: each promotion or rollback that
        succeeded, and each time that somebody said what is there. NOT_FOUND (ENVIRONMENT_NOT_FOUND)
        where nothing was promoted to it.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: Only what came at this time or after it.
            until: Only what came before this time.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListDeploymentHistoryRequest(
            owner=owner,
            repo=repo,
            environment=environment,
            since=_values.timestamp("since", since),
            until=_values.timestamp("until", until),
            page_size=page_size,
        )
        while True:
            page = self._call(self._environment_service.ListDeploymentHistory, request, timeout)
            yield from page.arrivals
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_delivery_figures(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.DeliveryFigures:
        """Returns how well an environment is delivered to in a time: DORA's four figures, as
        docs/figures.md defines them. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where nothing was promoted
        to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: What ended at this time or after it; 30 days before `until` when unset.
            until: What ended before this time; now when unset. At most 366 days after `since`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._environment_service.GetDeliveryFigures,
            environments_pb2.GetDeliveryFiguresRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
            ),
            timeout,
        )

    def set_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        value: str = "",
        pull_requests: bool | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Makes a secret, or changes the one of these names. FAILED_PRECONDITION
        (SECRETS_NOT_CONFIGURED) where the server has no key to keep it with.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment, with one repository; empty: all of it.
            name: What pipeline files call it: 1 to 100 of letters, digits, '.', '_', '-'.
            value: The value, at most 65,536 bytes without NUL; when empty, a secret that is there
                keeps its own. A new one needs one.
            pull_requests: Whether builds of pull requests get it, whose pipeline files others may
                have written. When unset it stays as it is: not, at first.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._secret_service.SetSecret,
            secrets_pb2.SetSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
                value=value,
                pull_requests=_values.flag(pull_requests),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Tells of one secret, of just these names. NOT_FOUND (SECRET_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: what is of all of the repository.
            name: What pipeline files call it.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._secret_service.GetSecret,
            secrets_pb2.GetSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
            ),
            timeout,
        )

    def list_secrets(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> secrets_pb2.ListSecretsResponse:
        """Lists the secrets of a repository and of its environments, those of all of its owner's
        repositories included; or the latter alone. By name; of one name the owner's first, then the
        repository's, then those of environments.

        Args:
            owner: The owner.
            repo: The repository; `*`: only what is of all of the owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._secret_service.ListSecrets,
            secrets_pb2.ListSecretsRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_secrets(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[secrets_pb2.Secret]:
        """Lists the secrets of a repository and of its environments, those of all of its owner's
        repositories included; or the latter alone. By name; of one name the owner's first, then the
        repository's, then those of environments.

        Asks for a page when the one before has been used up.

        Args:
            owner: The owner.
            repo: The repository; `*`: only what is of all of the owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = secrets_pb2.ListSecretsRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = self._call(self._secret_service.ListSecrets, request, timeout)
            yield from page.secrets
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def delete_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Deletes a secret, of just these names, and returns what it was. Stages that were taken have
        it already. NOT_FOUND (SECRET_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: what is of all of the repository.
            name: What pipeline files call it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._secret_service.DeleteSecret,
            secrets_pb2.DeleteSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_server_info(
        self,
        *,
        timeout: float | None = None,
    ) -> server_pb2.ServerInfo:
        """Returns the server's version, features and limits, to anybody.

        Args:
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._server_service.GetServerInfo,
            server_pb2.GetServerInfoRequest(),
            timeout,
        )

    def acquire_stage(
        self,
        *,
        machine: str,
        kind: str = "",
        type: str = "",
        os: str = "",
        arch: str = "",
        variant: str = "",
        kernel: str = "",
        labels: Mapping[str, str] | None = None,
        owner: str = "",
        repo: str = "",
        environments: Sequence[str] = (),
        timeout: float | None = None,
    ) -> stages_pb2.AcquireStageResponse:
        """Waits for a stage that the caller can do, and offers it: oldest first, within its limits. A
        stage of kind `pipeline` needs a pipeline file, one of kind `external` a promotion or
        rollback. Answers with no offer a second and a hundredth of the time before the call's
        deadline, after 30 s without one, and when the server shuts down. An offer that is not
        accepted within 10 s goes to somebody else.

        The runners of one token may ask for 100 different things within an hour, however many
        machines ask: things differ by all fields but the machine. More are RESOURCE_EXHAUSTED.

        Args:
            machine: The runner's machine, by name, at most 200 characters.
            kind: `pipeline` (also when empty) or `external`.
            type: The stages' type, such as `exec`; any when empty.
            os: The operating system, such as `linux`; any when empty.
            arch: The processor architecture, such as `amd64`; any when empty.
            variant: The variant of the architecture. Stages that name one have to name this one.
            kernel: The version of the kernel. Stages that name one have to name this one. What
                names none of os, arch, variant and kernel takes stages for any.
            labels: The runner's labels, matched exactly: a stage's must be the same. At most 32;
                names of at most 100 characters, values of at most 200.
            owner: Only stages of this owner's repositories.
            repo: Only stages of this repository; goes with `owner`.
            environments: Only promotions and rollbacks to these environments, at most 100; to any
                when empty.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.AcquireStage,
            stages_pb2.AcquireStageRequest(
                machine=machine,
                kind=kind,
                type=type,
                os=os,
                arch=arch,
                variant=variant,
                kernel=kernel,
                labels=_values.texts("labels", labels),
                owner=owner,
                repo=repo,
                environments=environments,
            ),
            timeout,
        )

    def accept_stage(
        self,
        *,
        stage_id: int,
        machine: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> stages_pb2.StageLease:
        """Claims a stage, whether or not it was offered. ABORTED when somebody else has it, or its
        limit is reached meanwhile; NOT_FOUND when it is not one that the caller can do.

        Args:
            stage_id: The stage's id.
            machine: The runner's machine, at most 200 characters; kept on the stage.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A repeat
                returns the lease without its token. A fresh UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.AcceptStage,
            stages_pb2.AcceptStageRequest(
                stage_id=stage_id,
                machine=machine,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    def get_lease(
        self,
        *,
        stage_id: int,
        lease_token: str = "",
        resolve_pipeline: bool = False,
        timeout: float | None = None,
    ) -> stages_pb2.StageLease:
        """Returns the lease that the caller holds, as it stands now, without a lease token.

        Args:
            stage_id: The stage's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            resolve_pipeline: Whether the lease is to have its `resolved_pipeline`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.GetLease,
            stages_pb2.GetLeaseRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                resolve_pipeline=resolve_pipeline,
            ),
            timeout,
        )

    def update_stage(
        self,
        *,
        stage_id: int,
        lease_token: str = "",
        version: int | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        error: str | None = None,
        exit_code: int | None = None,
        machine: str | None = None,
        started: datetime | None = None,
        stopped: datetime | None = None,
        message: str | None = None,
        link: str | None = None,
        steps: Sequence[stages_pb2.StepReport | Mapping[str, Any]] = (),
        os: str | None = None,
        arch: str | None = None,
        variant: str | None = None,
        kernel: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Stage:
        """Reports how a stage goes on, and its steps with it: running, then success, failure, error or
        killed. Alone it keeps the lease. ABORTED where `version` is not the stage's; a report of a
        stage that has ended changes nothing, and returns it as it is.

        Args:
            stage_id: The stage's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            version: The stage's version that the caller has seen: another one is ABORTED, naming
                it.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR, KILLED or SKIPPED.
            error: Why it ended in failure or error, at most 2,000 characters.
            exit_code: The exit code of the step that failed.
            machine: The machine that does it, at most 200 characters.
            started: When it began; now when the status says that it did.
            stopped: When it ended; now when the status says that it did.
            message: How it goes, in a few words, at most 2,000 characters.
            link: Where it can be watched, at most 2,000 characters.
            steps: Steps, each by its number: those that are not there yet are made, the others
                updated as by UpdateStep. At most 200.
            os: The operating system that it runs on, at most 100 characters.
            arch: The processor architecture that it runs on, at most 100 characters.
            variant: The variant of the architecture, at most 100 characters.
            kernel: The version of the kernel, at most 100 characters.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.UpdateStage,
            stages_pb2.UpdateStageRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                version=version,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                error=error,
                exit_code=exit_code,
                machine=machine,
                started=_values.timestamp("started", started),
                stopped=_values.timestamp("stopped", stopped),
                message=message,
                link=link,
                steps=_values.messages(stages_pb2.StepReport, "steps", steps),
                os=os,
                arch=arch,
                variant=variant,
                kernel=kernel,
            ),
            timeout,
        )

    def update_step(
        self,
        *,
        step_id: int,
        lease_token: str = "",
        version: int | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        error: str | None = None,
        exit_code: int | None = None,
        started: datetime | None = None,
        stopped: datetime | None = None,
        schema: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Step:
        """Reports how a step goes on. ABORTED where `version` is not the step's; a report of a step
        that has ended changes nothing, and returns it as it is.

        Args:
            step_id: The step's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            version: The step's version that the caller has seen: another one is ABORTED, naming it.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR, KILLED or SKIPPED.
            error: Why it ended in failure or error, at most 2,000 characters.
            exit_code: The exit code of its commands.
            started: When it began; now when the status says that it did.
            stopped: When it ended; now when the status says that it did.
            schema: The form of the card that it left, at most 1,000 characters.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.UpdateStep,
            stages_pb2.UpdateStepRequest(
                step_id=step_id,
                lease_token=lease_token,
                version=version,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                error=error,
                exit_code=exit_code,
                started=_values.timestamp("started", started),
                stopped=_values.timestamp("stopped", stopped),
                schema=schema,
            ),
            timeout,
        )

    def append_log(
        self,
        *,
        step_id: int,
        first_position: int,
        lines: Sequence[builds_pb2.LogLine | Mapping[str, Any]],
        lease_token: str = "",
        replace: bool = False,
        timeout: float | None = None,
    ) -> stages_pb2.AppendLogResponse:
        """Adds lines to a step's log. Lines whose position is there already are left as they are, so a
        batch can be sent again; a gap is OUT_OF_RANGE. A step keeps 5 MiB, and then a line that
        says so; what follows is counted alone, and told by one more line when the log is read: that
        is there once the step has ended, or for who does not follow.

        Args:
            step_id: The step's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            first_position: The position of the first of `lines`; they follow each other. 0 is the
                log's first line.
            lines: The lines, at most 10,000 and 4 MiB.
            replace: Puts the lines in the place of all that stands from `first_position` on.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.AppendLog,
            stages_pb2.AppendLogRequest(
                step_id=step_id,
                lease_token=lease_token,
                first_position=first_position,
                lines=_values.messages(builds_pb2.LogLine, "lines", lines),
                replace=replace,
            ),
            timeout,
        )

    def watch_stage(
        self,
        *,
        stage_id: int = 0,
        lease_token: str = "",
        build_id: int = 0,
        timeout: float | None = None,
    ) -> Iterator[stages_pb2.WatchStageResponse]:
        """Tells how the stage and its build stand, first as they are and then at each change, until
        the stage has ended: how a runner learns that its build was cancelled. Keeps the lease while
        it is open.

        Args:
            stage_id: The stage's id; needed where `build_id` is unset.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            build_id: In place of the stage: its build's id, for Drone's runners, which watch that.
                The caller must hold one of its stages.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._stage_service.WatchStage,
            stages_pb2.WatchStageRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                build_id=build_id,
            ),
            timeout,
        )

    def list_runners(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> stages_pb2.ListRunnersResponse:
        """Lists the runners that asked for stages within the last hour, by their tokens' ids. All
        machines of a token that ask for the same are one entry.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0. A page can be shorter though
                more follow.
            page_token: `next_page_token` of the page before.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return self._call(
            self._stage_service.ListRunners,
            stages_pb2.ListRunnersRequest(
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    def iterate_runners(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[stages_pb2.Runner]:
        """Lists the runners that asked for stages within the last hour, by their tokens' ids. All
        machines of a token that ask for the same are one entry.

        Asks for a page when the one before has been used up.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0. A page can be shorter though
                more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = stages_pb2.ListRunnersRequest(
            page_size=page_size,
        )
        while True:
            page = self._call(self._stage_service.ListRunners, request, timeout)
            yield from page.runners
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


class AsyncMethods:
    """A coroutine method for every rpc."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._access_service = access_pb2_grpc.AccessServiceStub(channel)
        self._build_service = builds_pb2_grpc.BuildServiceStub(channel)
        self._environment_service = environments_pb2_grpc.EnvironmentServiceStub(channel)
        self._secret_service = secrets_pb2_grpc.SecretServiceStub(channel)
        self._server_service = server_pb2_grpc.ServerServiceStub(channel)
        self._stage_service = stages_pb2_grpc.StageServiceStub(channel)

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        timeout: float | None,
    ) -> R:
        raise NotImplementedError

    def _stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Q, R],
        request: Q,
        timeout: float | None,
    ) -> AsyncIterator[R]:
        raise NotImplementedError

    async def create_repository(
        self,
        *,
        owner: str,
        repo: str,
        visibility: access_pb2.Visibility | VisibilityWord | None = None,
        scm: str = "",
        git_http_url: str = "",
        git_ssh_url: str = "",
        link: str = "",
        default_branch: str = "",
        config_path: str = "",
        timeout: timedelta | None = None,
        request_id: str | None = None,
        call_timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Registers a repository, so that its builds can be recorded and promoted. Needs admin on all
        of the owner's repositories (a grant on `owner/*`) or a site admin. ALREADY_EXISTS when the
        owner has a repository of this name.

        Args:
            owner: The owner: 1 to 100 of letters, digits, `.`, `_`, `-`; not `.` or `..`.
            repo: The name, by the same rule.
            visibility: Who can see it without a grant; private when unset.
            scm: The kind of source control, at most 32 characters; `git` when empty.
            git_http_url: Where to clone it over HTTP: `https://HOST/PATH` (or http) without
                credentials, which its readers would see; at most 2,000 characters.
            git_ssh_url: Where to clone it over SSH: `USER@HOST:PATH` or `ssh://USER@HOST/PATH`
                without a password; at most 2,000 characters.
            link: Its page in a browser, at most 2,000 characters.
            default_branch: The branch that `latest` means, at most 255 characters; `main` when
                empty.
            config_path: Where its pipeline file is, at most 1,000 characters; `.drone.yml` when
                empty.
            timeout: How long a build may take: whole minutes, from 1 minute to 7 days; an hour when
                unset.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. The same
                id with the same request returns the repository that the first call made; with
                another request it is ALREADY_EXISTS. A fresh UUID when None.
            call_timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.CreateRepository,
            access_pb2.CreateRepositoryRequest(
                owner=owner,
                repo=repo,
                visibility=_values.enum(access_pb2.Visibility.DESCRIPTOR, "visibility", visibility),
                scm=scm,
                git_http_url=git_http_url,
                git_ssh_url=git_ssh_url,
                link=link,
                default_branch=default_branch,
                config_path=config_path,
                timeout=timeout,
                request_id=request_id or str(uuid4()),
            ),
            call_timeout,
        )

    async def get_repository(
        self,
        *,
        owner: str,
        repo: str,
        timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Returns one repository, with what the caller may do there.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.GetRepository,
            access_pb2.GetRepositoryRequest(
                owner=owner,
                repo=repo,
            ),
            timeout,
        )

    async def update_repository(
        self,
        *,
        owner: str,
        repo: str,
        update_mask: Sequence[str],
        repository: access_pb2.Repository | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Repository:
        """Changes the settings of a repository that `update_mask` names, and returns it. A setting
        that is already so is no change.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            update_mask: The settings to change, each the name of a field of Repository that is not
                "Output only": active, config_path, default_branch, git_http_url, git_ssh_url, link,
                runner_secrets, timeout, visibility.
            repository: The settings' new values, by the rules of CreateRepositoryRequest; one that
                is empty there gets the default that it has there. Fields that `update_mask` does
                not name count for nothing.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.UpdateRepository,
            access_pb2.UpdateRepositoryRequest(
                owner=owner,
                repo=repo,
                update_mask=FieldMask(paths=update_mask),
                repository=_values.message(access_pb2.Repository, "repository", repository),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def list_repositories(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListRepositoriesResponse:
        """Lists the repositories that the caller may read, by owner and name. Without a token these
        are the public ones.

        Args:
            owner: Only this owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.ListRepositories,
            access_pb2.ListRepositoriesRequest(
                owner=owner,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_repositories(
        self,
        *,
        owner: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[access_pb2.Repository]:
        """Lists the repositories that the caller may read, by owner and name. Without a token these
        are the public ones.

        Asks for a page when the one before has been used up.

        Args:
            owner: Only this owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListRepositoriesRequest(
            owner=owner,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._access_service.ListRepositories, request, timeout)
            for item in page.repositories:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def create_user(
        self,
        *,
        login: str,
        email: str = "",
        avatar: str = "",
        machine: bool = False,
        admin: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Creates a user: a person, or a machine user for a service. ALREADY_EXISTS when the login is
        taken. A site admin is not made by a token that is cut down to environments or some actions.

        Args:
            login: The login: 1 to 100 of letters, digits, `.`, `_`, `-`; not `.` or `..`.
            email: The mail address, at most 254 characters.
            avatar: The address of a picture, at most 2,000 characters.
            machine: Whether this is a service and not a person.
            admin: Whether the user becomes a site admin.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.CreateUser,
            access_pb2.CreateUserRequest(
                login=login,
                email=email,
                avatar=avatar,
                machine=machine,
                admin=admin,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def create_token(
        self,
        *,
        login: str = "",
        name: str = "",
        actions: Sequence[access_pb2.TokenAction | TokenActionWord] = (),
        repositories: Sequence[str] = (),
        environments: Sequence[str] = (),
        expires: datetime | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Token:
        """Creates a token for the caller, or, for a site admin, for another user. The secret is in
        this answer only: the server keeps its SHA-256 and its first characters. A token that is
        itself cut down can only make tokens that are cut at least as far and expire no later.

        Args:
            login: Whose token it becomes; the caller's own when empty. Another user's needs a site
                admin.
            name: What it is for, at most 100 characters.
            actions: Cuts it to these actions; empty: all.
            repositories: Cuts it to these repositories, each `owner/repo` or `owner/*`, at most
                100; empty: all.
            environments: Cuts what it does in environments to these, at most 100; empty: all. By
                the rule of PromoteRequest's target.
            expires: When it stops working, in the future; unset: never.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A repeat
                returns the token without its secret. A fresh UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.CreateToken,
            access_pb2.CreateTokenRequest(
                login=login,
                name=name,
                actions=[
                    _values.enum(access_pb2.TokenAction.DESCRIPTOR, "actions", item) for item in actions
                ],
                repositories=repositories,
                environments=environments,
                expires=_values.timestamp("expires", expires),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def list_tokens(
        self,
        *,
        login: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListTokensResponse:
        """Lists the caller's tokens, or, for a site admin, another user's: newest first, without
        secrets, revoked and expired ones included. To a token that is cut down, only those within
        its cuts.

        Args:
            login: Whose; the caller's own when empty. Another user's needs a site admin.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.ListTokens,
            access_pb2.ListTokensRequest(
                login=login,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_tokens(
        self,
        *,
        login: str = "",
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[access_pb2.Token]:
        """Lists the caller's tokens, or, for a site admin, another user's: newest first, without
        secrets, revoked and expired ones included. To a token that is cut down, only those within
        its cuts.

        Asks for a page when the one before has been used up.

        Args:
            login: Whose; the caller's own when empty. Another user's needs a site admin.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListTokensRequest(
            login=login,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._access_service.ListTokens, request, timeout)
            for item in page.tokens:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def revoke_token(
        self,
        *,
        id: int,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Token:
        """Revokes one of the caller's tokens, or, for a site admin, anybody's. It stops working with
        the answer. Revoking a revoked token changes nothing. A token that is cut down revokes only
        those within its cuts, itself among them.

        Args:
            id: The token's id. One that is not the caller's is NOT_FOUND, but to a site admin.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.RevokeToken,
            access_pb2.RevokeTokenRequest(
                id=id,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def grant_access(
        self,
        *,
        owner: str,
        repo: str,
        login: str,
        level: access_pb2.AccessLevel | AccessLevelWord,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Grant:
        """Gives a user a level on a repository, or on all of an owner's; replaces the level that they
        had there by the same kind of grant. Neither may be beyond what the caller's token, if it is
        cut down, may give.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for all of the owner's, later ones included.
            login: Who gets it; NOT_FOUND when there is no such user.
            level: ACCESS_LEVEL_READ, ACCESS_LEVEL_WRITE or ACCESS_LEVEL_ADMIN.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.GrantAccess,
            access_pb2.GrantAccessRequest(
                owner=owner,
                repo=repo,
                login=login,
                level=_values.enum(access_pb2.AccessLevel.DESCRIPTOR, "level", level),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def revoke_access(
        self,
        *,
        owner: str,
        repo: str,
        login: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.Grant:
        """Takes a grant back. Returns it with its level unset. Taking back what is not there changes
        nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grant on all of the owner's.
            login: Whose grant; NOT_FOUND when there is no such user.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.RevokeAccess,
            access_pb2.RevokeAccessRequest(
                owner=owner,
                repo=repo,
                login=login,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def list_access(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListAccessResponse:
        """Lists the grants on a repository, those on all of its owner's repositories included, by
        login.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grants on all of the owner's alone.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.ListAccess,
            access_pb2.ListAccessRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_access(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[access_pb2.Grant]:
        """Lists the grants on a repository, those on all of its owner's repositories included, by
        login.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name, or `*` for the grants on all of the owner's alone.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListAccessRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._access_service.ListAccess, request, timeout)
            for item in page.grants:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def who_am_i(
        self,
        *,
        timeout: float | None = None,
    ) -> access_pb2.WhoAmIResponse:
        """Returns the caller's user and token.

        Args:
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.WhoAmI,
            access_pb2.WhoAmIRequest(),
            timeout,
        )

    async def list_users(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListUsersResponse:
        """Lists the users, disabled ones included, by login.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.ListUsers,
            access_pb2.ListUsersRequest(
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_users(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[access_pb2.User]:
        """Lists the users, disabled ones included, by login.

        Asks for a page when the one before has been used up.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListUsersRequest(
            page_size=page_size,
        )
        while True:
            page = await self._call(self._access_service.ListUsers, request, timeout)
            for item in page.users:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_user(
        self,
        *,
        login: str = "",
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Returns the caller's user, or, for a site admin, another one.

        Args:
            login: Whom; the caller when empty. Another user needs a site admin.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.GetUser,
            access_pb2.GetUserRequest(
                login=login,
            ),
            timeout,
        )

    async def update_user(
        self,
        *,
        login: str,
        update_mask: Sequence[str],
        user: access_pb2.User | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> access_pb2.User:
        """Changes what `update_mask` names of a user, and returns the user. What is already so is no
        change. The tokens of a user who is disabled work no more, as if they were revoked: calls
        are UNAUTHENTICATED (USER_DISABLED) from the answer on, and open ones end. Enabled again,
        the user has them back.

        The last site admin who is not disabled stays so (FAILED_PRECONDITION, LAST_SITE_ADMIN). A
        token that is cut down to environments or some actions changes neither `admin` nor
        `disabled`.

        Args:
            login: Whom; NOT_FOUND when there is no such user.
            update_mask: What to change, each the name of a field of User that is not "Output only":
                admin, avatar, disabled, email, machine.
            user: The new values, by the rules of CreateUserRequest. Fields that `update_mask` does
                not name count for nothing.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.UpdateUser,
            access_pb2.UpdateUserRequest(
                login=login,
                update_mask=FieldMask(paths=update_mask),
                user=_values.message(access_pb2.User, "user", user),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def list_audit_events(
        self,
        *,
        owner: str = "",
        repo: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        user: str = "",
        environment: str = "",
        method: str = "",
        outcome: str = "",
        after: int | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> access_pb2.ListAuditEventsResponse:
        """Lists what stands in the audit: writes, and writes that were refused, the newest first, once
        they are sealed (within about a second). Needs admin on the repository or on all of the
        owner's, or a site admin where neither is named. A token that is cut to environments names
        one of these.

        Args:
            owner: The repository's owner; with `repo`, or events of the whole installation are
                listed.
            repo: The repository's name, or `*` for all of the owner's.
            since: Only events from this time on.
            until: Only events before this time.
            user: Only what this user did, or was refused; NOT_FOUND when there is no such user.
            environment: Only events about this environment.
            method: Only calls of this rpc, such as `PromoteBuild`.
            outcome: `ok`, `refused`, or the name of a gRPC code, such as `PERMISSION_DENIED`.
            after: Set: the oldest first, from behind this `seq` on; 0 begins with the oldest that
                there is. Whoever goes on with `next_after` each time misses nothing and is told
                nothing twice. Unset: the newest first.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there. Not with `after`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._access_service.ListAuditEvents,
            access_pb2.ListAuditEventsRequest(
                owner=owner,
                repo=repo,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
                user=user,
                environment=environment,
                method=method,
                outcome=outcome,
                after=after,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_audit_events(
        self,
        *,
        owner: str = "",
        repo: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        user: str = "",
        environment: str = "",
        method: str = "",
        outcome: str = "",
        after: int | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[access_pb2.AuditEvent]:
        """Lists what stands in the audit: writes, and writes that were refused, the newest first, once
        they are sealed (within about a second). Needs admin on the repository or on all of the
        owner's, or a site admin where neither is named. A token that is cut to environments names
        one of these.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner; with `repo`, or events of the whole installation are
                listed.
            repo: The repository's name, or `*` for all of the owner's.
            since: Only events from this time on.
            until: Only events before this time.
            user: Only what this user did, or was refused; NOT_FOUND when there is no such user.
            environment: Only events about this environment.
            method: Only calls of this rpc, such as `PromoteBuild`.
            outcome: `ok`, `refused`, or the name of a gRPC code, such as `PERMISSION_DENIED`.
            after: Set: the oldest first, from behind this `seq` on; 0 begins with the oldest that
                there is. Whoever goes on with `next_after` each time misses nothing and is told
                nothing twice. Unset: the newest first.
            page_size: How many at the most; 100 when 0, and 1,000 when more.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = access_pb2.ListAuditEventsRequest(
            owner=owner,
            repo=repo,
            since=_values.timestamp("since", since),
            until=_values.timestamp("until", until),
            user=user,
            environment=environment,
            method=method,
            outcome=outcome,
            after=after,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._access_service.ListAuditEvents, request, timeout)
            for item in page.events:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def promote_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Promotes a build to an environment: creates a new build of event `promote` with the promoted
        one as its parent, the same commit, and fresh pending stages. An answer means that it is
        stored.

        The gates of the environment decide whether it is refused, waits, or goes on at once
        (docs/gates.md): while it waits for people it is blocked, for time or another promotion
        pending, and `waiting_for` says so.

        INVALID_ARGUMENT names every bad field and parameter at once; NOT_FOUND: no such build;
        ABORTED: another build than `expected_current` is in the environment; FAILED_PRECONDITION:
        the build has no commit, or gates failed: the message and the violations name each of them.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.PromoteBuild,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    async def create_build(
        self,
        *,
        owner: str,
        repo: str,
        number: int | None = None,
        external_id: str = "",
        event: builds_pb2.BuildEvent | BuildEventWord | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        action: str = "",
        link: str = "",
        title: str = "",
        message: str = "",
        before: str = "",
        after: str = "",
        ref: str = "",
        source_repo: str = "",
        source: str = "",
        target: str = "",
        author_login: str = "",
        author_name: str = "",
        author_email: str = "",
        author_avatar: str = "",
        sender: str = "",
        cron: str = "",
        debug: bool = False,
        params: Mapping[str, str] | None = None,
        timestamp: datetime | None = None,
        started: datetime | None = None,
        finished: datetime | None = None,
        release: str = "",
        artifacts: Sequence[builds_pb2.Artifact | Mapping[str, Any]] = (),
        stages: Sequence[builds_pb2.StageSpec | Mapping[str, Any]] = (),
        request_id: str | None = None,
        pipeline: str = "",
        run: bool = False,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Records a build that a CI system made or, with `run`, one that runners are to make.
        Recording an `external_id` again returns the build that has it, unchanged, with the trailing
        metadata `shiplift-replayed: true`.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            number: A number of the caller's choice, 1 to 2,000,000,000, to import a history: needs
                admin, must be free (ALREADY_EXISTS), and moves the repository's counter up to it.
                Unset: the next one.
            external_id: What the CI system calls the build, such as `jenkins/app#1043`, or a run's
                id and attempt; at most 200 characters, unique in the repository. Recording it again
                returns the build that has it.
            event: What brought the build about; push when unset. PROMOTE and ROLLBACK are refused:
                those are PromoteBuild's and RollbackBuild's to make.
            status: How far the build is: PENDING (also when unset), RUNNING, SUCCESS, FAILURE,
                ERROR or KILLED.
            action: The event in finer words, at most 100 characters.
            link: A page about the change or the CI system's run, at most 2,000 characters.
            title: The change's title, at most 2,000 characters.
            message: The commit's message, at most 64 KiB.
            before: The commit before the change, at most 64 hexadecimal digits; kept in lower case.
            after: The commit that was built, at most 64 hexadecimal digits; kept in lower case. A
                build without one is not promoted, and has a warning that says so.
            ref: The git reference, such as `refs/heads/main`, at most 500 characters.
            source_repo: The repository that the change comes from, at most 500 characters.
            source: The git branch that the change comes from, at most 500 characters.
            target: The git branch that the change goes to, at most 500 characters. NOT an
                environment.
            author_login: The commit author's login, at most 200 characters.
            author_name: The commit author's name, at most 200 characters.
            author_email: The commit author's mail address, at most 254 characters.
            author_avatar: The address of the commit author's picture, at most 2,000 characters.
            sender: Who caused the event at the source host, at most 200 characters.
            cron: The schedule's name, at most 200 characters.
            debug: Whether the runner is to log in more detail.
            params: Parameters of the build, which promotions inherit; by the rules of
                PromoteRequest's.
            timestamp: When the event happened at the source host.
            started: When the build began to run; now when the status says that it did.
            finished: When the build ended, not before it began; now when the status says that it
                did.
            release: The release that it is, such as `v1.4.2`; at most 100 characters, not digits
                alone.
            artifacts: What it produced, at most 50, their names unique.
            stages: Its stages, at most 100, numbered in this order, their names unique. Promotions
                of the build get fresh copies. When there are none, the build has one stage
                `default` of kind `external`. At most 256 KiB together with the artifacts.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            pipeline: The pipeline file, Drone's YAML, at most 1 MiB: promotions of the build get
                their stages from it. The build itself gets those that match its event, unless
                `stages` are given; where none matches it has one stage `default` of kind
                `external`. INVALID_ARGUMENT names line and column of each fault.
            run: Has runners do the build: its stages are those of the pipeline file that match its
                event. The branch is `target`, the default one when empty, and gives `source` and
                `ref` where they are empty; without `after` the commit, its message, author and link
                are those of the newest build recorded of the branch; without `pipeline` the file is
                the newest recorded for the branch, else for the default one. The newest 1,000
                builds of a branch are looked through. FAILED_PRECONDITION: there is no commit, no
                file, or no pipeline of it matches. Goes with no `stages`, and no `status` but
                PENDING.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.CreateBuild,
            builds_pb2.CreateBuildRequest(
                owner=owner,
                repo=repo,
                number=number,
                external_id=external_id,
                event=_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "event", event),
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                action=action,
                link=link,
                title=title,
                message=message,
                before=before,
                after=after,
                ref=ref,
                source_repo=source_repo,
                source=source,
                target=target,
                author_login=author_login,
                author_name=author_name,
                author_email=author_email,
                author_avatar=author_avatar,
                sender=sender,
                cron=cron,
                debug=debug,
                params=_values.texts("params", params),
                timestamp=_values.timestamp("timestamp", timestamp),
                started=_values.timestamp("started", started),
                finished=_values.timestamp("finished", finished),
                release=release,
                artifacts=_values.messages(builds_pb2.Artifact, "artifacts", artifacts),
                stages=_values.messages(builds_pb2.StageSpec, "stages", stages),
                request_id=request_id or str(uuid4()),
                pipeline=pipeline,
                run=run,
            ),
            timeout,
        )

    async def update_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        started: datetime | None = None,
        finished: datetime | None = None,
        message: str | None = None,
        link: str | None = None,
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Reports how a recorded build or a promotion goes on: pending, running, then success,
        failure, error or killed. What has ended does not change again (FAILED_PRECONDITION); the
        status that it has, reported once more, changes nothing but that it keeps the leases of the
        build's stages.

        A token that is cut to actions needs `record` for a build without `deploy_to`. For one with
        it, which decides what is in an environment, it needs `promote`, or `run` and the leases of
        all of the build's stages that have not ended.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR or KILLED, and only
                onwards in this order. Its stages that have not ended go with it. Unset: as it was.
            started: When it began to run; now when the status says that it did and nobody said
                when.
            finished: When it ended, not before it began; now when the status says that it did.
            message: How it goes, in a few words, at most 2,000 characters: kept on the stages that
                go with it, and as the build's `error` when it ends in failure, error or killed. The
                commit's message stays as it is.
            link: Where the work can be watched, at most 2,000 characters: kept on the stages that
                go with it. The build's own link stays as it is.
            version: The build's version that the caller has seen: another one is ABORTED, naming
                it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.UpdateBuild,
            builds_pb2.UpdateBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                started=_values.timestamp("started", started),
                finished=_values.timestamp("finished", finished),
                message=message,
                link=link,
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def retry_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Starts a promotion, a rollback or a recorded build again: a new build of the same event,
        parent, target and parameters, with fresh stages. FAILED_PRECONDITION while a promotion or
        rollback has not ended, and where its environment is uncertain by the loss of another
        promotion than this one; a build that goes to no environment can be started again while it
        runs.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            params: Parameters over those of the build; by the rules of PromoteRequest's.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            drop_params: The names of the build's parameters that the new one is to be without; by
                the rules of PromoteRequest's.
            overrides: As PromoteRequest's.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.RetryBuild,
            builds_pb2.RetryBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    async def rollback_build(
        self,
        *,
        owner: str,
        repo: str,
        target: str,
        build: int | None = None,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        cancel_running: bool = False,
        comment: str = "",
        drop_params: Sequence[str] = (),
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Puts back what was in an environment before: a new build of event `rollback`, by the same
        rules as a promotion, but for those of hold, freeze, predecessor, soak and approvals, which
        are passed over and recorded. Approvals are asked for where its parameters are others than
        those with which the origin succeeded there. Without a `build` it takes the newest that
        succeeded there, of another origin than what is to be replaced, and was not itself rolled
        back. Leaves a hold of scope AUTOMATIC in the environment, so that no machine deploys over
        it.

        FAILED_PRECONDITION (NOTHING_TO_ROLL_BACK_TO): nothing else succeeded there.
        FAILED_PRECONDITION (ROLLBACK_UNDER_WAY): neither `build` nor `cancel_running` is set while
        another rollback of the environment is under way or waits.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            target: The environment.
            build: The number of what to put back: a promotion that succeeded there, or the recorded
                build of one. Unset: see the rpc.
            params: Parameters over those that it had when it last succeeded there; by the rules of
                PromoteRequest's.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: As PromoteRequest's.
            cancel_running: Stops what is in flight there, and goes at once; without it the rollback
                waits for that. Rollbacks are stopped that wait, too: what they were to put back is
                put back again, unless a `build` is named.
            comment: Why, at most 2,000 characters; kept on the build.
            drop_params: As PromoteRequest's.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.RollbackBuild,
            builds_pb2.RollbackRequest(
                owner=owner,
                repo=repo,
                target=target,
                build=build,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                cancel_running=cancel_running,
                comment=comment,
                drop_params=drop_params,
            ),
            timeout,
        )

    async def explain_promotion(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.ExplainPromotionResponse:
        """Says what PromoteBuild would answer to the same request by the same caller: the verdict of
        each gate, the parameters and the stages. Stores nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.ExplainPromotion,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    async def approve_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Approves a promotion that is blocked. With the last approval that it needs it goes on. By
        those whom its environment names as approvers, else by admins of the repository; never by
        whom it is from. Approving twice changes nothing. FAILED_PRECONDITION (NOT_BLOCKED): it
        waits for nobody.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            comment: What to say of it, at most 2,000 characters.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.ApproveBuild,
            builds_pb2.ApproveBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def decline_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Declines a promotion that is blocked, which is its end. By those who could approve it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            comment: Why, at most 2,000 characters.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.DeclineBuild,
            builds_pb2.DeclineBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def cancel_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Stops a build: it ends as killed, what runs is told to stop, what waits is skipped. A build
        that has ended stays as it is.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.CancelBuild,
            builds_pb2.CancelBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Returns one build with its parameters and stages, unless `view` says otherwise.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            view: How much of the build is returned; FULL when unset.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.GetBuild,
            builds_pb2.GetBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
            ),
            timeout,
        )

    async def list_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        statuses: Sequence[builds_pb2.BuildStatus | BuildStatusWord] = (),
        commit: str = "",
        release: str = "",
        external_id: str = "",
        environment: str = "",
        ref: str = "",
        origin: int = 0,
        page_size: int = 0,
        page_token: str = "",
        skip: int = 0,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        trigger: str = "",
        parent: int = 0,
        timeout: float | None = None,
    ) -> builds_pb2.ListBuildsResponse:
        """Lists a repository's builds, highest number first, without their parameters and stages
        unless `view` says otherwise. Filters that are set must all match. Without a repository
        those of all that the caller may read, newest first.

        Args:
            owner: The repository's owner. Without it and `repo` the builds are those of all
                repositories that the caller may read.
            repo: The repository's name; goes with `owner`.
            events: Only builds of these events.
            statuses: Only builds of these statuses.
            commit: Only builds of this commit: `after` begins with it; 7 to 64 hexadecimal digits.
                This, `release`, `external_id`, `ref`, `origin`, `parent` and `skip` go with a
                repository.
            release: Only builds of this release.
            external_id: Only the build that has this external id.
            environment: Only promotions and rollbacks to this environment.
            ref: Only builds of this git reference.
            origin: Only this recorded build and everything promoted from it.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there, but for `skip`.
            skip: How many builds to pass over first, 0 to 1,000,000: for lists that number their
                pages. A page token costs less the further on it is. Not with `events`, `statuses`,
                `trigger`, `created_after` or `created_before` alone.
            view: How much of the builds is returned; BASIC when unset.
            created_after: Only builds created at this time or later. With `created_before` it is
                the half-open time from the one to before the other.
            created_before: Only builds created before this time.
            trigger: Only builds that the user of this login recorded or promoted.
            parent: Only promotions and rollbacks of the build of this number.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.ListBuilds,
            builds_pb2.ListBuildsRequest(
                owner=owner,
                repo=repo,
                events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
                statuses=[
                    _values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "statuses", item) for item in statuses
                ],
                commit=commit,
                release=release,
                external_id=external_id,
                environment=environment,
                ref=ref,
                origin=origin,
                page_size=page_size,
                page_token=page_token,
                skip=skip,
                view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
                created_after=_values.timestamp("created_after", created_after),
                created_before=_values.timestamp("created_before", created_before),
                trigger=trigger,
                parent=parent,
            ),
            timeout,
        )

    async def iterate_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        statuses: Sequence[builds_pb2.BuildStatus | BuildStatusWord] = (),
        commit: str = "",
        release: str = "",
        external_id: str = "",
        environment: str = "",
        ref: str = "",
        origin: int = 0,
        page_size: int = 0,
        skip: int = 0,
        view: builds_pb2.BuildView | BuildViewWord | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        trigger: str = "",
        parent: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[builds_pb2.Build]:
        """Lists a repository's builds, highest number first, without their parameters and stages
        unless `view` says otherwise. Filters that are set must all match. Without a repository
        those of all that the caller may read, newest first.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner. Without it and `repo` the builds are those of all
                repositories that the caller may read.
            repo: The repository's name; goes with `owner`.
            events: Only builds of these events.
            statuses: Only builds of these statuses.
            commit: Only builds of this commit: `after` begins with it; 7 to 64 hexadecimal digits.
                This, `release`, `external_id`, `ref`, `origin`, `parent` and `skip` go with a
                repository.
            release: Only builds of this release.
            external_id: Only the build that has this external id.
            environment: Only promotions and rollbacks to this environment.
            ref: Only builds of this git reference.
            origin: Only this recorded build and everything promoted from it.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            skip: How many builds to pass over first, 0 to 1,000,000: for lists that number their
                pages. A page token costs less the further on it is. Not with `events`, `statuses`,
                `trigger`, `created_after` or `created_before` alone.
            view: How much of the builds is returned; BASIC when unset.
            created_after: Only builds created at this time or later. With `created_before` it is
                the half-open time from the one to before the other.
            created_before: Only builds created before this time.
            trigger: Only builds that the user of this login recorded or promoted.
            parent: Only promotions and rollbacks of the build of this number.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = builds_pb2.ListBuildsRequest(
            owner=owner,
            repo=repo,
            events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
            statuses=[
                _values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "statuses", item) for item in statuses
            ],
            commit=commit,
            release=release,
            external_id=external_id,
            environment=environment,
            ref=ref,
            origin=origin,
            page_size=page_size,
            skip=skip,
            view=_values.enum(builds_pb2.BuildView.DESCRIPTOR, "view", view),
            created_after=_values.timestamp("created_after", created_after),
            created_before=_values.timestamp("created_before", created_before),
            trigger=trigger,
            parent=parent,
        )
        while True:
            page = await self._call(self._build_service.ListBuilds, request, timeout)
            for item in page.builds:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def tail_log(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        stage: int = 0,
        step: int = 0,
        position: int = 0,
        follow: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[builds_pb2.TailLogResponse]:
        """Reads the log of a step from a position on, or of all steps of a build or of a stage. With
        `follow` it goes on as lines come, until the step, stage or build has ended, and waits for
        what has not begun; otherwise it ends with what is there. Of several steps the lines come in
        the order of stages and steps, and while they run as they come; each response is of one
        step.

        NOT_FOUND: no such build or stage, or no such step; with `follow` only once its stage has
        ended without it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            stage: The stage's number; 0 for all stages.
            step: The step's number, with `stage`; 0 for all steps.
            position: The position to begin at; 0 is the first line. Goes with `stage` and `step`
                alone: each step counts its own lines. Who comes back to several steps passes over
                what it has.
            follow: Goes on as lines come, until what is asked for has ended.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._build_service.TailLog,
            builds_pb2.TailLogRequest(
                owner=owner,
                repo=repo,
                build=build,
                stage=stage,
                step=step,
                position=position,
                follow=follow,
            ),
            timeout,
        )

    async def wait_build(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        seen_version: int = 0,
        timeout: float | None = None,
    ) -> builds_pb2.Build:
        """Waits for a build to move, and returns it as GetBuild does. Answers at once where its
        version is above `seen_version`, or it has ended or is blocked; else when that comes about.
        Otherwise it returns the build as it stands: a second and a hundredth of the time before the
        call's deadline, after 30 s without one, and when the server shuts down. So whoever waits
        for the end calls again with the version of the answer.

        The version is the build's own: it goes up with its status, not with what its stages and
        steps do. These are in the answer, and TailLog follows them.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The build's number; 1 or above.
            seen_version: The build's version that the caller has seen; 0 answers at once. One that
                it never gets to, such as 2147483647, waits for the end, or for it to be blocked.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.WaitBuild,
            builds_pb2.WaitBuildRequest(
                owner=owner,
                repo=repo,
                build=build,
                seen_version=seen_version,
            ),
            timeout,
        )

    def watch_builds(
        self,
        *,
        owner: str = "",
        repo: str = "",
        build: int = 0,
        environment: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        cursor: str = "",
        timeout: float | None = None,
    ) -> AsyncIterator[builds_pb2.WatchBuildsResponse]:
        """Tells of builds as they move: of a repository's, of one build's, or of all that the caller
        may read. First come the builds that match and have not ended, as they stand (a build that
        is named by its number, ended or not), and `snapshot_end`; then every change, each once, in
        the order in which they were stored. Each of these has a cursor. Who comes back with the
        last one that it saw, to whichever replica, misses nothing and sees nothing twice; in the
        place of the snapshot is a heartbeat then. There is one every 15 s without anything else,
        too, whose cursor does as well.

        OUT_OF_RANGE (CURSOR_TOO_OLD): what came after the cursor is not kept any more: begin
        without one. RESOURCE_EXHAUSTED (READS_TOO_SLOWLY): too many changes waited to be read: come
        back with the last cursor.

        Args:
            owner: The repository's owner. Without it and `repo` it tells of all repositories that
                the caller may read.
            repo: The repository's name; goes with `owner`.
            build: Only this build, its stages and steps; the build's number, with `owner` and
                `repo`.
            environment: Only promotions and rollbacks to this environment, and what becomes of the
                environment itself.
            events: Only builds of these events, their stages and steps. Without, what becomes of
                environments is told of, too.
            cursor: The cursor of the last response that the caller saw of a watch of the same
                filters.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._build_service.WatchBuilds,
            builds_pb2.WatchBuildsRequest(
                owner=owner,
                repo=repo,
                build=build,
                environment=environment,
                events=[_values.enum(builds_pb2.BuildEvent.DESCRIPTOR, "events", item) for item in events],
                cursor=cursor,
            ),
            timeout,
        )

    async def diff_promotion(
        self,
        *,
        owner: str,
        repo: str,
        build: int,
        target: str,
        params: Mapping[str, str] | None = None,
        request_id: str | None = None,
        expected_current: int | None = None,
        despite_lost: int = 0,
        drop_params: Sequence[str] = (),
        overrides: Sequence[builds_pb2.Override | Mapping[str, Any]] = (),
        comment: str = "",
        timeout: float | None = None,
    ) -> builds_pb2.DiffPromotionResponse:
        """Says what a promotion would change in its environment: what is there, what would come, and
        what lies between. Takes what PromoteBuild takes; without `target` the build is a promotion
        or rollback itself, and is compared with what is there now. Stores nothing.

        INVALID_ARGUMENT: as PromoteBuild, and for a build without `target` that goes nowhere.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            build: The number of the build to promote; 1 or above.
            target: The environment to promote it to: 1 to 100 of letters, digits, `.`, `_`, `-`,
                `/`; taken as it is, with nothing trimmed and no case folded.
            params: Parameters for the steps' environment, over those of the promoted build. Names
                are `[A-Za-z_][A-Za-z0-9_]*`, at most 256 characters; values have no NUL and at most
                32 KiB; together with the promoted build's, at most 100 parameters and 128 KiB of
                names and values. Names that a runner, a shell or a language obeys, such as `PATH`,
                `LD_*` or `DRONE_*`, are refused.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            expected_current: The number of the deployment (promotion or rollback) that the caller
                believes to be current in the environment, 0 for none: another one there is ABORTED,
                naming it.
            despite_lost: Where the environment is uncertain, the number of the promotion that was
                lost (Deployment.uncertain.build): the caller knows of it, and promotes all the
                same. Without it, or with another's, that is FAILED_PRECONDITION.
            drop_params: The names of the promoted build's parameters that the new one is to be
                without; each must be one of them, and not stand in `params` as well.
            overrides: Gates to be passed although they fail, by a site admin or whom the
                environment names for it; at most 10.
            comment: Why, at most 2,000 characters; kept on the build.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._build_service.DiffPromotion,
            builds_pb2.PromoteRequest(
                owner=owner,
                repo=repo,
                build=build,
                target=target,
                params=_values.texts("params", params),
                request_id=request_id or str(uuid4()),
                expected_current=expected_current,
                despite_lost=despite_lost,
                drop_params=drop_params,
                overrides=_values.messages(builds_pb2.Override, "overrides", overrides),
                comment=comment,
            ),
            timeout,
        )

    async def create_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Declares an environment and its rules. From the first one that is declared on, a repository
        knows its environments, and a promotion to any other is refused. ALREADY_EXISTS where it is
        declared.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment; what is "Output only" is left out.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.CreateEnvironment,
            environments_pb2.CreateEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Returns an environment with its rules. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where it is not
        declared.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.GetEnvironment,
            environments_pb2.GetEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
            ),
            timeout,
        )

    async def list_environments(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> environments_pb2.ListEnvironmentsResponse:
        """Lists the environments that a repository declares, by name.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.ListEnvironments,
            environments_pb2.ListEnvironmentsRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_environments(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[environments_pb2.Environment]:
        """Lists the environments that a repository declares, by name.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListEnvironmentsRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._environment_service.ListEnvironments, request, timeout)
            for item in page.environments:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def update_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        update_mask: Sequence[str],
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Changes what `update_mask` names, and returns the environment. A change of rules raises
        `rules_version`, and voids the approvals of promotions that wait; these are looked at again
        at once.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment, by its `name`, with the new values.
            update_mask: The fields to change, such as `required_approvals`, whole ones: `freezes`
                puts all in the place of all.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.UpdateEnvironment,
            environments_pb2.UpdateEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                update_mask=FieldMask(paths=update_mask),
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def delete_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        request_id: str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Environment:
        """Takes back the declaration, and returns what it was. What was promoted to it stays, and is
        listed. Where it was the last one, the repository takes any target again.
        FAILED_PRECONDITION (ENVIRONMENT_IN_USE) while promotions wait there: nothing would hold
        them back any more.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.DeleteEnvironment,
            environments_pb2.DeleteEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                request_id=request_id or str(uuid4()),
                version=version,
            ),
            timeout,
        )

    async def hold_environment(
        self,
        *,
        owner: str,
        repo: str,
        reason: str,
        environment: str = "",
        scope: environments_pb2.HoldScope | HoldScopeWord | None = None,
        until: datetime | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Hold:
        """Stops promotions to an environment, to all of a repository or all of an owner, until
        ResumeEnvironment. What runs goes on; what waits goes on waiting. A hold that is there is
        replaced. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where the repository declares environments, and
        not this one.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: all of them.
            scope: Which promotions it stops; all when unset.
            reason: Why, 1 to 2,000 characters.
            until: When it ends by itself, in the future.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.HoldEnvironment,
            environments_pb2.HoldEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                scope=_values.enum(environments_pb2.HoldScope.DESCRIPTOR, "scope", scope),
                reason=reason,
                until=_values.timestamp("until", until),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def resume_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str = "",
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Hold:
        """Takes a hold back, and returns it as it was. What waited for it is looked at again at once.
        NOT_FOUND (HOLD_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: all of them.
            comment: Why, at most 2,000 characters; kept in the audit.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.ResumeEnvironment,
            environments_pb2.ResumeEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_owner_rules(
        self,
        *,
        owner: str,
        repo: str,
        timeout: float | None = None,
    ) -> environments_pb2.OwnerRules:
        """Returns the rules of all repositories of an owner.

        Args:
            owner: The owner.
            repo: A repository of theirs that the caller may read, or `*` for who may read all.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.GetOwnerRules,
            environments_pb2.GetOwnerRulesRequest(
                owner=owner,
                repo=repo,
            ),
            timeout,
        )

    async def update_owner_rules(
        self,
        *,
        owner: str,
        rules: environments_pb2.OwnerRules | Mapping[str, Any],
        version: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.OwnerRules:
        """Puts the rules of all repositories of an owner in the place of those there are.

        Args:
            owner: The owner.
            rules: The rules; what is "Output only" is left out.
            version: The version that the caller has seen: another one is ABORTED, naming it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.UpdateOwnerRules,
            environments_pb2.UpdateOwnerRulesRequest(
                owner=owner,
                rules=_values.message(environments_pb2.OwnerRules, "rules", rules),
                version=version,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def list_deployments(
        self,
        *,
        owner: str = "",
        repo: str = "",
        environment: str = "",
        page_size: int = 0,
        page_token: str = "",
        at: datetime | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.ListDeploymentsResponse:
        """Lists what is in each environment, of a repository or of all that the caller can read: by
        owner, repository and environment.

        Args:
            owner: Only this owner's repositories.
            repo: Only this repository; goes with `owner`. NOT_FOUND where the caller may not read
                it.
            environment: Only this environment.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            at: A time that has come, in milliseconds: the list says what was where then, of each
                environment that anything had come into. Of a deployment it has `owner`, `repo`,
                `environment`, `current` (unset where nothing was there) and `since`; its builds are
                as they are now.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.ListDeployments,
            environments_pb2.ListDeploymentsRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                page_size=page_size,
                page_token=page_token,
                at=_values.timestamp("at", at),
            ),
            timeout,
        )

    async def iterate_deployments(
        self,
        *,
        owner: str = "",
        repo: str = "",
        environment: str = "",
        page_size: int = 0,
        at: datetime | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[environments_pb2.Deployment]:
        """Lists what is in each environment, of a repository or of all that the caller can read: by
        owner, repository and environment.

        Asks for a page when the one before has been used up.

        Args:
            owner: Only this owner's repositories.
            repo: Only this repository; goes with `owner`. NOT_FOUND where the caller may not read
                it.
            environment: Only this environment.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            at: A time that has come, in milliseconds: the list says what was where then, of each
                environment that anything had come into. Of a deployment it has `owner`, `repo`,
                `environment`, `current` (unset where nothing was there) and `since`; its builds are
                as they are now.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListDeploymentsRequest(
            owner=owner,
            repo=repo,
            environment=environment,
            page_size=page_size,
            at=_values.timestamp("at", at),
        )
        while True:
            page = await self._call(self._environment_service.ListDeployments, request, timeout)
            for item in page.deployments:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def settle_environment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        build: int,
        comment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.Deployment:
        """Says what is in an environment now, where the server cannot know: a runner was lost on the
        way there, or somebody deployed by hand. Promotions to it are taken again, as they are once
        one that was made after the loss has succeeded (PromoteRequest.despite_lost). Needs an
        environment that something was promoted to (NOT_FOUND), and a build that was promoted to it,
        or 0 for none.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            build: The number of the promotion or rollback that is there now; 0: nothing is.
            comment: Why, in a few words, at most 2,000 characters; kept in the audit.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.SettleEnvironment,
            environments_pb2.SettleEnvironmentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                build=build,
                comment=comment,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_deployment(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        timeout: float | None = None,
    ) -> environments_pb2.Deployment:
        """Returns what is in one environment. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where nothing was
        promoted to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.GetDeployment,
            environments_pb2.GetDeploymentRequest(
                owner=owner,
                repo=repo,
                environment=environment,
            ),
            timeout,
        )

    async def rehearse_policy(
        self,
        *,
        owner: str,
        repo: str,
        environment: environments_pb2.Environment | Mapping[str, Any],
        last: int = 0,
        timeout: float | None = None,
    ) -> environments_pb2.RehearsePolicyResponse:
        """Says which of the last promotions and rollbacks to an environment would have been refused or
        made to wait by other rules than it has. The gates are asked of each as things stood when it
        was made, as far as the store knows (docs/gates.md). Stores nothing.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment with the rules that are tried, all of them; it need not be
                declared.
            last: How many promotions and rollbacks are looked at, the newest first: 1 to 1,000, and
                at most 200,000 windows of freezes together; 100 when 0.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.RehearsePolicy,
            environments_pb2.RehearsePolicyRequest(
                owner=owner,
                repo=repo,
                environment=_values.message(environments_pb2.Environment, "environment", environment),
                last=last,
            ),
            timeout,
        )

    async def list_deployment_history(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> environments_pb2.ListDeploymentHistoryResponse:
        """Lists what came into an environment, newest first: each promotion or rollback that
        succeeded, and each time that somebody said what is there. NOT_FOUND (ENVIRONMENT_NOT_FOUND)
        where nothing was promoted to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: Only what came at this time or after it.
            until: Only what came before this time.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.ListDeploymentHistory,
            environments_pb2.ListDeploymentHistoryRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_deployment_history(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[environments_pb2.Arrival]:
        """Lists what came into an environment, newest first: each promotion or rollback that
        succeeded, and each time that somebody said what is there. NOT_FOUND (ENVIRONMENT_NOT_FOUND)
        where nothing was promoted to it.

        Asks for a page when the one before has been used up.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: Only what came at this time or after it.
            until: Only what came before this time.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = environments_pb2.ListDeploymentHistoryRequest(
            owner=owner,
            repo=repo,
            environment=environment,
            since=_values.timestamp("since", since),
            until=_values.timestamp("until", until),
            page_size=page_size,
        )
        while True:
            page = await self._call(self._environment_service.ListDeploymentHistory, request, timeout)
            for item in page.arrivals:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_delivery_figures(
        self,
        *,
        owner: str,
        repo: str,
        environment: str,
        since: datetime | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
    ) -> environments_pb2.DeliveryFigures:
        """Returns how well an environment is delivered to in a time: DORA's four figures, as
        docs/figures.md defines them. NOT_FOUND (ENVIRONMENT_NOT_FOUND) where nothing was promoted
        to it.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            environment: The environment.
            since: What ended at this time or after it; 30 days before `until` when unset.
            until: What ended before this time; now when unset. At most 366 days after `since`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._environment_service.GetDeliveryFigures,
            environments_pb2.GetDeliveryFiguresRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                since=_values.timestamp("since", since),
                until=_values.timestamp("until", until),
            ),
            timeout,
        )

    async def set_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        value: str = "",
        pull_requests: bool | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Makes a secret, or changes the one of these names. FAILED_PRECONDITION
        (SECRETS_NOT_CONFIGURED) where the server has no key to keep it with.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment, with one repository; empty: all of it.
            name: What pipeline files call it: 1 to 100 of letters, digits, '.', '_', '-'.
            value: The value, at most 65,536 bytes without NUL; when empty, a secret that is there
                keeps its own. A new one needs one.
            pull_requests: Whether builds of pull requests get it, whose pipeline files others may
                have written. When unset it stays as it is: not, at first.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._secret_service.SetSecret,
            secrets_pb2.SetSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
                value=value,
                pull_requests=_values.flag(pull_requests),
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Tells of one secret, of just these names. NOT_FOUND (SECRET_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: what is of all of the repository.
            name: What pipeline files call it.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._secret_service.GetSecret,
            secrets_pb2.GetSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
            ),
            timeout,
        )

    async def list_secrets(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> secrets_pb2.ListSecretsResponse:
        """Lists the secrets of a repository and of its environments, those of all of its owner's
        repositories included; or the latter alone. By name; of one name the owner's first, then the
        repository's, then those of environments.

        Args:
            owner: The owner.
            repo: The repository; `*`: only what is of all of the owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            page_token: `next_page_token` of the page before; with the other fields as they were
                there.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._secret_service.ListSecrets,
            secrets_pb2.ListSecretsRequest(
                owner=owner,
                repo=repo,
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_secrets(
        self,
        *,
        owner: str,
        repo: str,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[secrets_pb2.Secret]:
        """Lists the secrets of a repository and of its environments, those of all of its owner's
        repositories included; or the latter alone. By name; of one name the owner's first, then the
        repository's, then those of environments.

        Asks for a page when the one before has been used up.

        Args:
            owner: The owner.
            repo: The repository; `*`: only what is of all of the owner's.
            page_size: How many at the most; 100 when 0, and 1,000 when more. A page can be shorter
                though more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = secrets_pb2.ListSecretsRequest(
            owner=owner,
            repo=repo,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._secret_service.ListSecrets, request, timeout)
            for item in page.secrets:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def delete_secret(
        self,
        *,
        owner: str,
        repo: str,
        name: str,
        environment: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> secrets_pb2.Secret:
        """Deletes a secret, of just these names, and returns what it was. Stages that were taken have
        it already. NOT_FOUND (SECRET_NOT_FOUND) where there is none.

        Args:
            owner: The owner.
            repo: The repository; `*`: all of the owner's.
            environment: The environment; empty: what is of all of the repository.
            name: What pipeline files call it.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A fresh
                UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._secret_service.DeleteSecret,
            secrets_pb2.DeleteSecretRequest(
                owner=owner,
                repo=repo,
                environment=environment,
                name=name,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_server_info(
        self,
        *,
        timeout: float | None = None,
    ) -> server_pb2.ServerInfo:
        """Returns the server's version, features and limits, to anybody.

        Args:
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._server_service.GetServerInfo,
            server_pb2.GetServerInfoRequest(),
            timeout,
        )

    async def acquire_stage(
        self,
        *,
        machine: str,
        kind: str = "",
        type: str = "",
        os: str = "",
        arch: str = "",
        variant: str = "",
        kernel: str = "",
        labels: Mapping[str, str] | None = None,
        owner: str = "",
        repo: str = "",
        environments: Sequence[str] = (),
        timeout: float | None = None,
    ) -> stages_pb2.AcquireStageResponse:
        """Waits for a stage that the caller can do, and offers it: oldest first, within its limits. A
        stage of kind `pipeline` needs a pipeline file, one of kind `external` a promotion or
        rollback. Answers with no offer a second and a hundredth of the time before the call's
        deadline, after 30 s without one, and when the server shuts down. An offer that is not
        accepted within 10 s goes to somebody else.

        The runners of one token may ask for 100 different things within an hour, however many
        machines ask: things differ by all fields but the machine. More are RESOURCE_EXHAUSTED.

        Args:
            machine: The runner's machine, by name, at most 200 characters.
            kind: `pipeline` (also when empty) or `external`.
            type: The stages' type, such as `exec`; any when empty.
            os: The operating system, such as `linux`; any when empty.
            arch: The processor architecture, such as `amd64`; any when empty.
            variant: The variant of the architecture. Stages that name one have to name this one.
            kernel: The version of the kernel. Stages that name one have to name this one. What
                names none of os, arch, variant and kernel takes stages for any.
            labels: The runner's labels, matched exactly: a stage's must be the same. At most 32;
                names of at most 100 characters, values of at most 200.
            owner: Only stages of this owner's repositories.
            repo: Only stages of this repository; goes with `owner`.
            environments: Only promotions and rollbacks to these environments, at most 100; to any
                when empty.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.AcquireStage,
            stages_pb2.AcquireStageRequest(
                machine=machine,
                kind=kind,
                type=type,
                os=os,
                arch=arch,
                variant=variant,
                kernel=kernel,
                labels=_values.texts("labels", labels),
                owner=owner,
                repo=repo,
                environments=environments,
            ),
            timeout,
        )

    async def accept_stage(
        self,
        *,
        stage_id: int,
        machine: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> stages_pb2.StageLease:
        """Claims a stage, whether or not it was offered. ABORTED when somebody else has it, or its
        limit is reached meanwhile; NOT_FOUND when it is not one that the caller can do.

        Args:
            stage_id: The stage's id.
            machine: The runner's machine, at most 200 characters; kept on the stage.
            request_id: Makes the call safe to repeat: 1 to 128 printable ASCII characters. A repeat
                returns the lease without its token. A fresh UUID when None.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.AcceptStage,
            stages_pb2.AcceptStageRequest(
                stage_id=stage_id,
                machine=machine,
                request_id=request_id or str(uuid4()),
            ),
            timeout,
        )

    async def get_lease(
        self,
        *,
        stage_id: int,
        lease_token: str = "",
        resolve_pipeline: bool = False,
        timeout: float | None = None,
    ) -> stages_pb2.StageLease:
        """Returns the lease that the caller holds, as it stands now, without a lease token.

        Args:
            stage_id: The stage's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            resolve_pipeline: Whether the lease is to have its `resolved_pipeline`.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.GetLease,
            stages_pb2.GetLeaseRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                resolve_pipeline=resolve_pipeline,
            ),
            timeout,
        )

    async def update_stage(
        self,
        *,
        stage_id: int,
        lease_token: str = "",
        version: int | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        error: str | None = None,
        exit_code: int | None = None,
        machine: str | None = None,
        started: datetime | None = None,
        stopped: datetime | None = None,
        message: str | None = None,
        link: str | None = None,
        steps: Sequence[stages_pb2.StepReport | Mapping[str, Any]] = (),
        os: str | None = None,
        arch: str | None = None,
        variant: str | None = None,
        kernel: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Stage:
        """Reports how a stage goes on, and its steps with it: running, then success, failure, error or
        killed. Alone it keeps the lease. ABORTED where `version` is not the stage's; a report of a
        stage that has ended changes nothing, and returns it as it is.

        Args:
            stage_id: The stage's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            version: The stage's version that the caller has seen: another one is ABORTED, naming
                it.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR, KILLED or SKIPPED.
            error: Why it ended in failure or error, at most 2,000 characters.
            exit_code: The exit code of the step that failed.
            machine: The machine that does it, at most 200 characters.
            started: When it began; now when the status says that it did.
            stopped: When it ended; now when the status says that it did.
            message: How it goes, in a few words, at most 2,000 characters.
            link: Where it can be watched, at most 2,000 characters.
            steps: Steps, each by its number: those that are not there yet are made, the others
                updated as by UpdateStep. At most 200.
            os: The operating system that it runs on, at most 100 characters.
            arch: The processor architecture that it runs on, at most 100 characters.
            variant: The variant of the architecture, at most 100 characters.
            kernel: The version of the kernel, at most 100 characters.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.UpdateStage,
            stages_pb2.UpdateStageRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                version=version,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                error=error,
                exit_code=exit_code,
                machine=machine,
                started=_values.timestamp("started", started),
                stopped=_values.timestamp("stopped", stopped),
                message=message,
                link=link,
                steps=_values.messages(stages_pb2.StepReport, "steps", steps),
                os=os,
                arch=arch,
                variant=variant,
                kernel=kernel,
            ),
            timeout,
        )

    async def update_step(
        self,
        *,
        step_id: int,
        lease_token: str = "",
        version: int | None = None,
        status: builds_pb2.BuildStatus | BuildStatusWord | None = None,
        error: str | None = None,
        exit_code: int | None = None,
        started: datetime | None = None,
        stopped: datetime | None = None,
        schema: str | None = None,
        timeout: float | None = None,
    ) -> builds_pb2.Step:
        """Reports how a step goes on. ABORTED where `version` is not the step's; a report of a step
        that has ended changes nothing, and returns it as it is.

        Args:
            step_id: The step's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            version: The step's version that the caller has seen: another one is ABORTED, naming it.
            status: How far it is now: PENDING, RUNNING, SUCCESS, FAILURE, ERROR, KILLED or SKIPPED.
            error: Why it ended in failure or error, at most 2,000 characters.
            exit_code: The exit code of its commands.
            started: When it began; now when the status says that it did.
            stopped: When it ended; now when the status says that it did.
            schema: The form of the card that it left, at most 1,000 characters.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.UpdateStep,
            stages_pb2.UpdateStepRequest(
                step_id=step_id,
                lease_token=lease_token,
                version=version,
                status=_values.enum(builds_pb2.BuildStatus.DESCRIPTOR, "status", status),
                error=error,
                exit_code=exit_code,
                started=_values.timestamp("started", started),
                stopped=_values.timestamp("stopped", stopped),
                schema=schema,
            ),
            timeout,
        )

    async def append_log(
        self,
        *,
        step_id: int,
        first_position: int,
        lines: Sequence[builds_pb2.LogLine | Mapping[str, Any]],
        lease_token: str = "",
        replace: bool = False,
        timeout: float | None = None,
    ) -> stages_pb2.AppendLogResponse:
        """Adds lines to a step's log. Lines whose position is there already are left as they are, so a
        batch can be sent again; a gap is OUT_OF_RANGE. A step keeps 5 MiB, and then a line that
        says so; what follows is counted alone, and told by one more line when the log is read: that
        is there once the step has ended, or for who does not follow.

        Args:
            step_id: The step's id.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            first_position: The position of the first of `lines`; they follow each other. 0 is the
                log's first line.
            lines: The lines, at most 10,000 and 4 MiB.
            replace: Puts the lines in the place of all that stands from `first_position` on.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.AppendLog,
            stages_pb2.AppendLogRequest(
                step_id=step_id,
                lease_token=lease_token,
                first_position=first_position,
                lines=_values.messages(builds_pb2.LogLine, "lines", lines),
                replace=replace,
            ),
            timeout,
        )

    def watch_stage(
        self,
        *,
        stage_id: int = 0,
        lease_token: str = "",
        build_id: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[stages_pb2.WatchStageResponse]:
        """Tells how the stage and its build stand, first as they are and then at each change, until
        the stage has ended: how a runner learns that its build was cancelled. Keeps the lease while
        it is open.

        Args:
            stage_id: The stage's id; needed where `build_id` is unset.
            lease_token: The lease's token; not needed with the API token that accepted the stage.
            build_id: In place of the stage: its build's id, for Drone's runners, which watch that.
                The caller must hold one of its stages.
            timeout: How long the stream may last, in seconds; without end when None.
        """
        return self._stream(
            self._stage_service.WatchStage,
            stages_pb2.WatchStageRequest(
                stage_id=stage_id,
                lease_token=lease_token,
                build_id=build_id,
            ),
            timeout,
        )

    async def list_runners(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> stages_pb2.ListRunnersResponse:
        """Lists the runners that asked for stages within the last hour, by their tokens' ids. All
        machines of a token that ask for the same are one entry.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0. A page can be shorter though
                more follow.
            page_token: `next_page_token` of the page before.
            timeout: How long the call may take, in seconds; the client's when None.
        """
        return await self._call(
            self._stage_service.ListRunners,
            stages_pb2.ListRunnersRequest(
                page_size=page_size,
                page_token=page_token,
            ),
            timeout,
        )

    async def iterate_runners(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[stages_pb2.Runner]:
        """Lists the runners that asked for stages within the last hour, by their tokens' ids. All
        machines of a token that ask for the same are one entry.

        Asks for a page when the one before has been used up.

        Args:
            page_size: How many at the most, 1 to 1,000; 100 when 0. A page can be shorter though
                more follow.
            timeout: How long the call for a page may take, in seconds; the client's when None.
        """
        request = stages_pb2.ListRunnersRequest(
            page_size=page_size,
        )
        while True:
            page = await self._call(self._stage_service.ListRunners, request, timeout)
            for item in page.runners:
                yield item
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
