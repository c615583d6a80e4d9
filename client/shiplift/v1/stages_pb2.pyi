import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shiplift.v1 import access_pb2 as _access_pb2
from shiplift.v1 import builds_pb2 as _builds_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AcquireStageRequest(_message.Message):
    __slots__ = ("machine", "kind", "type", "os", "arch", "variant", "kernel", "labels", "owner", "repo", "environments")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    machine: str
    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    labels: _containers.ScalarMap[str, str]
    owner: str
    repo: str
    environments: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, machine: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., variant: _Optional[str] = ..., kernel: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., environments: _Optional[_Iterable[str]] = ...) -> None: ...

class AcquireStageResponse(_message.Message):
    __slots__ = ("offer",)
    OFFER_FIELD_NUMBER: _ClassVar[int]
    offer: _builds_pb2.Stage
    def __init__(self, offer: _Optional[_Union[_builds_pb2.Stage, _Mapping]] = ...) -> None: ...

class AcceptStageRequest(_message.Message):
    __slots__ = ("stage_id", "machine", "request_id")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    stage_id: int
    machine: str
    request_id: str
    def __init__(self, stage_id: _Optional[int] = ..., machine: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StageLease(_message.Message):
    __slots__ = ("lease_token", "expires", "build", "stage", "repository", "plan", "pipeline", "current", "netrc", "resolved_pipeline", "secrets")
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    NETRC_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_PIPELINE_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    lease_token: str
    expires: _timestamp_pb2.Timestamp
    build: _builds_pb2.Build
    stage: _builds_pb2.Stage
    repository: _access_pb2.Repository
    plan: Plan
    pipeline: str
    current: _builds_pb2.Build
    netrc: Netrc
    resolved_pipeline: str
    secrets: _containers.RepeatedCompositeFieldContainer[LeasedSecret]
    def __init__(self, lease_token: _Optional[str] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., build: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., stage: _Optional[_Union[_builds_pb2.Stage, _Mapping]] = ..., repository: _Optional[_Union[_access_pb2.Repository, _Mapping]] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ..., pipeline: _Optional[str] = ..., current: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., netrc: _Optional[_Union[Netrc, _Mapping]] = ..., resolved_pipeline: _Optional[str] = ..., secrets: _Optional[_Iterable[_Union[LeasedSecret, _Mapping]]] = ...) -> None: ...

class LeasedSecret(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Netrc(_message.Message):
    __slots__ = ("machine", "login", "password")
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    machine: str
    login: str
    password: str
    def __init__(self, machine: _Optional[str] = ..., login: _Optional[str] = ..., password: _Optional[str] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("environment", "steps", "clone_disabled", "workspace")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CLONE_DISABLED_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    environment: _containers.ScalarMap[str, str]
    steps: _containers.RepeatedCompositeFieldContainer[PlanStep]
    clone_disabled: bool
    workspace: str
    def __init__(self, environment: _Optional[_Mapping[str, str]] = ..., steps: _Optional[_Iterable[_Union[PlanStep, _Mapping]]] = ..., clone_disabled: bool = ..., workspace: _Optional[str] = ...) -> None: ...

class PlanStep(_message.Message):
    __slots__ = ("number", "name", "image", "commands", "environment", "secrets", "errignore", "detached", "privileged", "shell", "on_success", "on_failure", "depends_on")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    ERRIGNORE_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGED_FIELD_NUMBER: _ClassVar[int]
    SHELL_FIELD_NUMBER: _ClassVar[int]
    ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    number: int
    name: str
    image: str
    commands: _containers.RepeatedScalarFieldContainer[str]
    environment: _containers.ScalarMap[str, str]
    secrets: _containers.ScalarMap[str, str]
    errignore: bool
    detached: bool
    privileged: bool
    shell: str
    on_success: bool
    on_failure: bool
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, number: _Optional[int] = ..., name: _Optional[str] = ..., image: _Optional[str] = ..., commands: _Optional[_Iterable[str]] = ..., environment: _Optional[_Mapping[str, str]] = ..., secrets: _Optional[_Mapping[str, str]] = ..., errignore: bool = ..., detached: bool = ..., privileged: bool = ..., shell: _Optional[str] = ..., on_success: bool = ..., on_failure: bool = ..., depends_on: _Optional[_Iterable[str]] = ...) -> None: ...

class GetLeaseRequest(_message.Message):
    __slots__ = ("stage_id", "lease_token", "resolve_pipeline")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_PIPELINE_FIELD_NUMBER: _ClassVar[int]
    stage_id: int
    lease_token: str
    resolve_pipeline: bool
    def __init__(self, stage_id: _Optional[int] = ..., lease_token: _Optional[str] = ..., resolve_pipeline: bool = ...) -> None: ...

class UpdateStageRequest(_message.Message):
    __slots__ = ("stage_id", "lease_token", "version", "status", "error", "exit_code", "machine", "started", "stopped", "message", "link", "steps", "os", "arch", "variant", "kernel")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    stage_id: int
    lease_token: str
    version: int
    status: _builds_pb2.BuildStatus
    error: str
    exit_code: int
    machine: str
    started: _timestamp_pb2.Timestamp
    stopped: _timestamp_pb2.Timestamp
    message: str
    link: str
    steps: _containers.RepeatedCompositeFieldContainer[StepReport]
    os: str
    arch: str
    variant: str
    kernel: str
    def __init__(self, stage_id: _Optional[int] = ..., lease_token: _Optional[str] = ..., version: _Optional[int] = ..., status: _Optional[_Union[_builds_pb2.BuildStatus, str]] = ..., error: _Optional[str] = ..., exit_code: _Optional[int] = ..., machine: _Optional[str] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., link: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[StepReport, _Mapping]]] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., variant: _Optional[str] = ..., kernel: _Optional[str] = ...) -> None: ...

class StepReport(_message.Message):
    __slots__ = ("number", "name", "status", "error", "errignore", "exit_code", "started", "stopped", "depends_on", "image", "detached", "schema")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ERRIGNORE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    number: int
    name: str
    status: _builds_pb2.BuildStatus
    error: str
    errignore: bool
    exit_code: int
    started: _timestamp_pb2.Timestamp
    stopped: _timestamp_pb2.Timestamp
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    image: str
    detached: bool
    schema: str
    def __init__(self, number: _Optional[int] = ..., name: _Optional[str] = ..., status: _Optional[_Union[_builds_pb2.BuildStatus, str]] = ..., error: _Optional[str] = ..., errignore: bool = ..., exit_code: _Optional[int] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., depends_on: _Optional[_Iterable[str]] = ..., image: _Optional[str] = ..., detached: bool = ..., schema: _Optional[str] = ...) -> None: ...

class UpdateStepRequest(_message.Message):
    __slots__ = ("step_id", "lease_token", "version", "status", "error", "exit_code", "started", "stopped", "schema")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    step_id: int
    lease_token: str
    version: int
    status: _builds_pb2.BuildStatus
    error: str
    exit_code: int
    started: _timestamp_pb2.Timestamp
    stopped: _timestamp_pb2.Timestamp
    schema: str
    def __init__(self, step_id: _Optional[int] = ..., lease_token: _Optional[str] = ..., version: _Optional[int] = ..., status: _Optional[_Union[_builds_pb2.BuildStatus, str]] = ..., error: _Optional[str] = ..., exit_code: _Optional[int] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schema: _Optional[str] = ...) -> None: ...

class AppendLogRequest(_message.Message):
    __slots__ = ("step_id", "lease_token", "first_position", "lines", "replace")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FIRST_POSITION_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    step_id: int
    lease_token: str
    first_position: int
    lines: _containers.RepeatedCompositeFieldContainer[_builds_pb2.LogLine]
    replace: bool
    def __init__(self, step_id: _Optional[int] = ..., lease_token: _Optional[str] = ..., first_position: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[_builds_pb2.LogLine, _Mapping]]] = ..., replace: bool = ...) -> None: ...

class AppendLogResponse(_message.Message):
    __slots__ = ("next_position", "full")
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    next_position: int
    full: bool
    def __init__(self, next_position: _Optional[int] = ..., full: bool = ...) -> None: ...

class WatchStageRequest(_message.Message):
    __slots__ = ("stage_id", "lease_token", "build_id")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    stage_id: int
    lease_token: str
    build_id: int
    def __init__(self, stage_id: _Optional[int] = ..., lease_token: _Optional[str] = ..., build_id: _Optional[int] = ...) -> None: ...

class WatchStageResponse(_message.Message):
    __slots__ = ("status", "stop", "reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    status: _builds_pb2.BuildStatus
    stop: bool
    reason: str
    def __init__(self, status: _Optional[_Union[_builds_pb2.BuildStatus, str]] = ..., stop: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ListRunnersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunnersResponse(_message.Message):
    __slots__ = ("runners", "next_page_token")
    RUNNERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runners: _containers.RepeatedCompositeFieldContainer[Runner]
    next_page_token: str
    def __init__(self, runners: _Optional[_Iterable[_Union[Runner, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Runner(_message.Message):
    __slots__ = ("token_id", "login", "kind", "type", "os", "arch", "variant", "kernel", "labels", "owner", "repo", "environments", "token_repositories", "token_environments", "last_seen")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_REPOSITORIES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    token_id: int
    login: str
    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    labels: _containers.ScalarMap[str, str]
    owner: str
    repo: str
    environments: _containers.RepeatedScalarFieldContainer[str]
    token_repositories: _containers.RepeatedScalarFieldContainer[str]
    token_environments: _containers.RepeatedScalarFieldContainer[str]
    last_seen: _timestamp_pb2.Timestamp
    def __init__(self, token_id: _Optional[int] = ..., login: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., variant: _Optional[str] = ..., kernel: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., environments: _Optional[_Iterable[str]] = ..., token_repositories: _Optional[_Iterable[str]] = ..., token_environments: _Optional[_Iterable[str]] = ..., last_seen: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
