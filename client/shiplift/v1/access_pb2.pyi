import datetime

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AccessLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_LEVEL_UNSPECIFIED: _ClassVar[AccessLevel]
    ACCESS_LEVEL_ANYONE: _ClassVar[AccessLevel]
    ACCESS_LEVEL_USER: _ClassVar[AccessLevel]
    ACCESS_LEVEL_READ: _ClassVar[AccessLevel]
    ACCESS_LEVEL_WRITE: _ClassVar[AccessLevel]
    ACCESS_LEVEL_ADMIN: _ClassVar[AccessLevel]
    ACCESS_LEVEL_SITE_ADMIN: _ClassVar[AccessLevel]
    ACCESS_LEVEL_RUNNER: _ClassVar[AccessLevel]

class AccessScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_SCOPE_UNSPECIFIED: _ClassVar[AccessScope]
    ACCESS_SCOPE_REPOSITORY: _ClassVar[AccessScope]
    ACCESS_SCOPE_OWNER: _ClassVar[AccessScope]
    ACCESS_SCOPE_REPOSITORY_OR_OWNER: _ClassVar[AccessScope]
    ACCESS_SCOPE_VISIBLE: _ClassVar[AccessScope]
    ACCESS_SCOPE_SELF: _ClassVar[AccessScope]
    ACCESS_SCOPE_SITE: _ClassVar[AccessScope]
    ACCESS_SCOPE_LEASE: _ClassVar[AccessScope]
    ACCESS_SCOPE_REPOSITORY_OR_VISIBLE: _ClassVar[AccessScope]
    ACCESS_SCOPE_REPOSITORY_OR_SITE: _ClassVar[AccessScope]

class TokenAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_ACTION_UNSPECIFIED: _ClassVar[TokenAction]
    TOKEN_ACTION_READ: _ClassVar[TokenAction]
    TOKEN_ACTION_RECORD: _ClassVar[TokenAction]
    TOKEN_ACTION_PROMOTE: _ClassVar[TokenAction]
    TOKEN_ACTION_APPROVE: _ClassVar[TokenAction]
    TOKEN_ACTION_RUN: _ClassVar[TokenAction]
    TOKEN_ACTION_ADMIN: _ClassVar[TokenAction]
    TOKEN_ACTION_ROLLBACK: _ClassVar[TokenAction]

class Visibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VISIBILITY_UNSPECIFIED: _ClassVar[Visibility]
    VISIBILITY_PRIVATE: _ClassVar[Visibility]
    VISIBILITY_INTERNAL: _ClassVar[Visibility]
    VISIBILITY_PUBLIC: _ClassVar[Visibility]
ACCESS_LEVEL_UNSPECIFIED: AccessLevel
ACCESS_LEVEL_ANYONE: AccessLevel
ACCESS_LEVEL_USER: AccessLevel
ACCESS_LEVEL_READ: AccessLevel
ACCESS_LEVEL_WRITE: AccessLevel
ACCESS_LEVEL_ADMIN: AccessLevel
ACCESS_LEVEL_SITE_ADMIN: AccessLevel
ACCESS_LEVEL_RUNNER: AccessLevel
ACCESS_SCOPE_UNSPECIFIED: AccessScope
ACCESS_SCOPE_REPOSITORY: AccessScope
ACCESS_SCOPE_OWNER: AccessScope
ACCESS_SCOPE_REPOSITORY_OR_OWNER: AccessScope
ACCESS_SCOPE_VISIBLE: AccessScope
ACCESS_SCOPE_SELF: AccessScope
ACCESS_SCOPE_SITE: AccessScope
ACCESS_SCOPE_LEASE: AccessScope
ACCESS_SCOPE_REPOSITORY_OR_VISIBLE: AccessScope
ACCESS_SCOPE_REPOSITORY_OR_SITE: AccessScope
TOKEN_ACTION_UNSPECIFIED: TokenAction
TOKEN_ACTION_READ: TokenAction
TOKEN_ACTION_RECORD: TokenAction
TOKEN_ACTION_PROMOTE: TokenAction
TOKEN_ACTION_APPROVE: TokenAction
TOKEN_ACTION_RUN: TokenAction
TOKEN_ACTION_ADMIN: TokenAction
TOKEN_ACTION_ROLLBACK: TokenAction
VISIBILITY_UNSPECIFIED: Visibility
VISIBILITY_PRIVATE: Visibility
VISIBILITY_INTERNAL: Visibility
VISIBILITY_PUBLIC: Visibility
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor

class AccessRule(_message.Message):
    __slots__ = ("level", "scope", "action", "or_actions")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OR_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    level: AccessLevel
    scope: AccessScope
    action: TokenAction
    or_actions: _containers.RepeatedScalarFieldContainer[TokenAction]
    def __init__(self, level: _Optional[_Union[AccessLevel, str]] = ..., scope: _Optional[_Union[AccessScope, str]] = ..., action: _Optional[_Union[TokenAction, str]] = ..., or_actions: _Optional[_Iterable[_Union[TokenAction, str]]] = ...) -> None: ...

class Repository(_message.Message):
    __slots__ = ("id", "user_id", "owner", "name", "slug", "scm", "git_http_url", "git_ssh_url", "link", "default_branch", "visibility", "config_path", "timeout", "counter", "permissions", "created", "updated", "version", "active", "runner_secrets")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    SCM_FIELD_NUMBER: _ClassVar[int]
    GIT_HTTP_URL_FIELD_NUMBER: _ClassVar[int]
    GIT_SSH_URL_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_BRANCH_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    CONFIG_PATH_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    RUNNER_SECRETS_FIELD_NUMBER: _ClassVar[int]
    id: int
    user_id: int
    owner: str
    name: str
    slug: str
    scm: str
    git_http_url: str
    git_ssh_url: str
    link: str
    default_branch: str
    visibility: Visibility
    config_path: str
    timeout: _duration_pb2.Duration
    counter: int
    permissions: Permissions
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    version: int
    active: bool
    runner_secrets: bool
    def __init__(self, id: _Optional[int] = ..., user_id: _Optional[int] = ..., owner: _Optional[str] = ..., name: _Optional[str] = ..., slug: _Optional[str] = ..., scm: _Optional[str] = ..., git_http_url: _Optional[str] = ..., git_ssh_url: _Optional[str] = ..., link: _Optional[str] = ..., default_branch: _Optional[str] = ..., visibility: _Optional[_Union[Visibility, str]] = ..., config_path: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., counter: _Optional[int] = ..., permissions: _Optional[_Union[Permissions, _Mapping]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., active: bool = ..., runner_secrets: bool = ...) -> None: ...

class Permissions(_message.Message):
    __slots__ = ("read", "write", "admin")
    READ_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    read: bool
    write: bool
    admin: bool
    def __init__(self, read: bool = ..., write: bool = ..., admin: bool = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("id", "login", "email", "avatar", "machine", "admin", "created", "updated", "disabled")
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    id: int
    login: str
    email: str
    avatar: str
    machine: bool
    admin: bool
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    disabled: bool
    def __init__(self, id: _Optional[int] = ..., login: _Optional[str] = ..., email: _Optional[str] = ..., avatar: _Optional[str] = ..., machine: bool = ..., admin: bool = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disabled: bool = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("id", "login", "name", "hint", "actions", "repositories", "environments", "created", "expires", "revoked", "last_used", "secret")
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    REPOSITORIES_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    id: int
    login: str
    name: str
    hint: str
    actions: _containers.RepeatedScalarFieldContainer[TokenAction]
    repositories: _containers.RepeatedScalarFieldContainer[str]
    environments: _containers.RepeatedScalarFieldContainer[str]
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    revoked: _timestamp_pb2.Timestamp
    last_used: _timestamp_pb2.Timestamp
    secret: str
    def __init__(self, id: _Optional[int] = ..., login: _Optional[str] = ..., name: _Optional[str] = ..., hint: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[TokenAction, str]]] = ..., repositories: _Optional[_Iterable[str]] = ..., environments: _Optional[_Iterable[str]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_used: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., secret: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("id", "login", "owner", "repo", "level", "created", "updated")
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    id: int
    login: str
    owner: str
    repo: str
    level: AccessLevel
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., login: _Optional[str] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., level: _Optional[_Union[AccessLevel, str]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateRepositoryRequest(_message.Message):
    __slots__ = ("owner", "repo", "visibility", "scm", "git_http_url", "git_ssh_url", "link", "default_branch", "config_path", "timeout", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    SCM_FIELD_NUMBER: _ClassVar[int]
    GIT_HTTP_URL_FIELD_NUMBER: _ClassVar[int]
    GIT_SSH_URL_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_BRANCH_FIELD_NUMBER: _ClassVar[int]
    CONFIG_PATH_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    visibility: Visibility
    scm: str
    git_http_url: str
    git_ssh_url: str
    link: str
    default_branch: str
    config_path: str
    timeout: _duration_pb2.Duration
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., visibility: _Optional[_Union[Visibility, str]] = ..., scm: _Optional[str] = ..., git_http_url: _Optional[str] = ..., git_ssh_url: _Optional[str] = ..., link: _Optional[str] = ..., default_branch: _Optional[str] = ..., config_path: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetRepositoryRequest(_message.Message):
    __slots__ = ("owner", "repo")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ...) -> None: ...

class UpdateRepositoryRequest(_message.Message):
    __slots__ = ("owner", "repo", "update_mask", "repository", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    update_mask: _field_mask_pb2.FieldMask
    repository: Repository
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., repository: _Optional[_Union[Repository, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListRepositoriesRequest(_message.Message):
    __slots__ = ("owner", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRepositoriesResponse(_message.Message):
    __slots__ = ("repositories", "next_page_token")
    REPOSITORIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    repositories: _containers.RepeatedCompositeFieldContainer[Repository]
    next_page_token: str
    def __init__(self, repositories: _Optional[_Iterable[_Union[Repository, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateUserRequest(_message.Message):
    __slots__ = ("login", "email", "avatar", "machine", "admin", "request_id")
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    login: str
    email: str
    avatar: str
    machine: bool
    admin: bool
    request_id: str
    def __init__(self, login: _Optional[str] = ..., email: _Optional[str] = ..., avatar: _Optional[str] = ..., machine: bool = ..., admin: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateTokenRequest(_message.Message):
    __slots__ = ("login", "name", "actions", "repositories", "environments", "expires", "request_id")
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    REPOSITORIES_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    login: str
    name: str
    actions: _containers.RepeatedScalarFieldContainer[TokenAction]
    repositories: _containers.RepeatedScalarFieldContainer[str]
    environments: _containers.RepeatedScalarFieldContainer[str]
    expires: _timestamp_pb2.Timestamp
    request_id: str
    def __init__(self, login: _Optional[str] = ..., name: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[TokenAction, str]]] = ..., repositories: _Optional[_Iterable[str]] = ..., environments: _Optional[_Iterable[str]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ("login", "page_size", "page_token")
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    login: str
    page_size: int
    page_token: str
    def __init__(self, login: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens", "next_page_token")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[Token]
    next_page_token: str
    def __init__(self, tokens: _Optional[_Iterable[_Union[Token, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("id", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    request_id: str
    def __init__(self, id: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GrantAccessRequest(_message.Message):
    __slots__ = ("owner", "repo", "login", "level", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    login: str
    level: AccessLevel
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., login: _Optional[str] = ..., level: _Optional[_Union[AccessLevel, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeAccessRequest(_message.Message):
    __slots__ = ("owner", "repo", "login", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    login: str
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., login: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListAccessRequest(_message.Message):
    __slots__ = ("owner", "repo", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccessResponse(_message.Message):
    __slots__ = ("grants", "next_page_token")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    next_page_token: str
    def __init__(self, grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WhoAmIRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoAmIResponse(_message.Message):
    __slots__ = ("user", "token")
    USER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    user: User
    token: Token
    def __init__(self, user: _Optional[_Union[User, _Mapping]] = ..., token: _Optional[_Union[Token, _Mapping]] = ...) -> None: ...

class ListUsersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUsersResponse(_message.Message):
    __slots__ = ("users", "next_page_token")
    USERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[User]
    next_page_token: str
    def __init__(self, users: _Optional[_Iterable[_Union[User, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetUserRequest(_message.Message):
    __slots__ = ("login",)
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    login: str
    def __init__(self, login: _Optional[str] = ...) -> None: ...

class UpdateUserRequest(_message.Message):
    __slots__ = ("login", "update_mask", "user", "request_id")
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    login: str
    update_mask: _field_mask_pb2.FieldMask
    user: User
    request_id: str
    def __init__(self, login: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("owner", "repo", "since", "until", "user", "environment", "method", "outcome", "after", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    user: str
    environment: str
    method: str
    outcome: str
    after: int
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., user: _Optional[str] = ..., environment: _Optional[str] = ..., method: _Optional[str] = ..., outcome: _Optional[str] = ..., after: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token", "next_after")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    next_after: int
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., next_after: _Optional[int] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("seq", "time", "user", "token", "token_id", "method", "owner", "repo", "environment", "build", "resource_id", "request_id", "outcome", "reason", "address", "client", "verdicts", "hash")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    seq: int
    time: _timestamp_pb2.Timestamp
    user: str
    token: str
    token_id: int
    method: str
    owner: str
    repo: str
    environment: str
    build: int
    resource_id: int
    request_id: str
    outcome: str
    reason: str
    address: str
    client: str
    verdicts: _containers.RepeatedCompositeFieldContainer[AuditVerdict]
    hash: str
    def __init__(self, seq: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., user: _Optional[str] = ..., token: _Optional[str] = ..., token_id: _Optional[int] = ..., method: _Optional[str] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., build: _Optional[int] = ..., resource_id: _Optional[int] = ..., request_id: _Optional[str] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ..., address: _Optional[str] = ..., client: _Optional[str] = ..., verdicts: _Optional[_Iterable[_Union[AuditVerdict, _Mapping]]] = ..., hash: _Optional[str] = ...) -> None: ...

class AuditVerdict(_message.Message):
    __slots__ = ("gate", "result", "reason")
    GATE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    gate: str
    result: str
    reason: str
    def __init__(self, gate: _Optional[str] = ..., result: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
