import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shiplift.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUILD_STATUS_UNSPECIFIED: _ClassVar[BuildStatus]
    BUILD_STATUS_SKIPPED: _ClassVar[BuildStatus]
    BUILD_STATUS_BLOCKED: _ClassVar[BuildStatus]
    BUILD_STATUS_DECLINED: _ClassVar[BuildStatus]
    BUILD_STATUS_WAITING_ON_DEPENDENCIES: _ClassVar[BuildStatus]
    BUILD_STATUS_PENDING: _ClassVar[BuildStatus]
    BUILD_STATUS_RUNNING: _ClassVar[BuildStatus]
    BUILD_STATUS_SUCCESS: _ClassVar[BuildStatus]
    BUILD_STATUS_FAILURE: _ClassVar[BuildStatus]
    BUILD_STATUS_KILLED: _ClassVar[BuildStatus]
    BUILD_STATUS_ERROR: _ClassVar[BuildStatus]

class BuildView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUILD_VIEW_UNSPECIFIED: _ClassVar[BuildView]
    BUILD_VIEW_BASIC: _ClassVar[BuildView]
    BUILD_VIEW_FULL: _ClassVar[BuildView]

class BuildEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUILD_EVENT_UNSPECIFIED: _ClassVar[BuildEvent]
    BUILD_EVENT_PUSH: _ClassVar[BuildEvent]
    BUILD_EVENT_PULL_REQUEST: _ClassVar[BuildEvent]
    BUILD_EVENT_TAG: _ClassVar[BuildEvent]
    BUILD_EVENT_CRON: _ClassVar[BuildEvent]
    BUILD_EVENT_CUSTOM: _ClassVar[BuildEvent]
    BUILD_EVENT_PROMOTE: _ClassVar[BuildEvent]
    BUILD_EVENT_ROLLBACK: _ClassVar[BuildEvent]

class GateResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GATE_RESULT_UNSPECIFIED: _ClassVar[GateResult]
    GATE_RESULT_PASSED: _ClassVar[GateResult]
    GATE_RESULT_FAILED: _ClassVar[GateResult]
    GATE_RESULT_WAITING: _ClassVar[GateResult]
    GATE_RESULT_OVERRIDDEN: _ClassVar[GateResult]
    GATE_RESULT_SKIPPED: _ClassVar[GateResult]

class EnvironmentAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENVIRONMENT_ACTION_UNSPECIFIED: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_CREATED: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_UPDATED: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_DELETED: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_HELD: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_RESUMED: _ClassVar[EnvironmentAction]
    ENVIRONMENT_ACTION_SETTLED: _ClassVar[EnvironmentAction]
BUILD_STATUS_UNSPECIFIED: BuildStatus
BUILD_STATUS_SKIPPED: BuildStatus
BUILD_STATUS_BLOCKED: BuildStatus
BUILD_STATUS_DECLINED: BuildStatus
BUILD_STATUS_WAITING_ON_DEPENDENCIES: BuildStatus
BUILD_STATUS_PENDING: BuildStatus
BUILD_STATUS_RUNNING: BuildStatus
BUILD_STATUS_SUCCESS: BuildStatus
BUILD_STATUS_FAILURE: BuildStatus
BUILD_STATUS_KILLED: BuildStatus
BUILD_STATUS_ERROR: BuildStatus
BUILD_VIEW_UNSPECIFIED: BuildView
BUILD_VIEW_BASIC: BuildView
BUILD_VIEW_FULL: BuildView
BUILD_EVENT_UNSPECIFIED: BuildEvent
BUILD_EVENT_PUSH: BuildEvent
BUILD_EVENT_PULL_REQUEST: BuildEvent
BUILD_EVENT_TAG: BuildEvent
BUILD_EVENT_CRON: BuildEvent
BUILD_EVENT_CUSTOM: BuildEvent
BUILD_EVENT_PROMOTE: BuildEvent
BUILD_EVENT_ROLLBACK: BuildEvent
GATE_RESULT_UNSPECIFIED: GateResult
GATE_RESULT_PASSED: GateResult
GATE_RESULT_FAILED: GateResult
GATE_RESULT_WAITING: GateResult
GATE_RESULT_OVERRIDDEN: GateResult
GATE_RESULT_SKIPPED: GateResult
ENVIRONMENT_ACTION_UNSPECIFIED: EnvironmentAction
ENVIRONMENT_ACTION_CREATED: EnvironmentAction
ENVIRONMENT_ACTION_UPDATED: EnvironmentAction
ENVIRONMENT_ACTION_DELETED: EnvironmentAction
ENVIRONMENT_ACTION_HELD: EnvironmentAction
ENVIRONMENT_ACTION_RESUMED: EnvironmentAction
ENVIRONMENT_ACTION_SETTLED: EnvironmentAction

class Build(_message.Message):
    __slots__ = ("id", "repo_id", "owner", "repo", "number", "parent", "origin", "status", "error", "event", "action", "link", "title", "message", "before", "after", "ref", "source_repo", "source", "target", "deploy_to", "author_login", "author_name", "author_email", "author_avatar", "sender", "trigger", "cron", "params", "debug", "timestamp", "started", "finished", "created", "updated", "version", "stages", "external_id", "release", "artifacts", "waiting_for", "retry_of", "warnings", "comment", "rollback_of", "rolled_back_by", "superseded_by", "verdicts", "approvals", "masked_params")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    REPO_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REPO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    DEPLOY_TO_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_LOGIN_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_NAME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_EMAIL_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_AVATAR_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    RETRY_OF_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_OF_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_BY_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_BY_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    MASKED_PARAMS_FIELD_NUMBER: _ClassVar[int]
    id: int
    repo_id: int
    owner: str
    repo: str
    number: int
    parent: int
    origin: int
    status: BuildStatus
    error: str
    event: BuildEvent
    action: str
    link: str
    title: str
    message: str
    before: str
    after: str
    ref: str
    source_repo: str
    source: str
    target: str
    deploy_to: str
    author_login: str
    author_name: str
    author_email: str
    author_avatar: str
    sender: str
    trigger: str
    cron: str
    params: _containers.ScalarMap[str, str]
    debug: bool
    timestamp: _timestamp_pb2.Timestamp
    started: _timestamp_pb2.Timestamp
    finished: _timestamp_pb2.Timestamp
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    version: int
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    external_id: str
    release: str
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    waiting_for: str
    retry_of: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    comment: str
    rollback_of: int
    rolled_back_by: int
    superseded_by: int
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    masked_params: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[int] = ..., repo_id: _Optional[int] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., number: _Optional[int] = ..., parent: _Optional[int] = ..., origin: _Optional[int] = ..., status: _Optional[_Union[BuildStatus, str]] = ..., error: _Optional[str] = ..., event: _Optional[_Union[BuildEvent, str]] = ..., action: _Optional[str] = ..., link: _Optional[str] = ..., title: _Optional[str] = ..., message: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., ref: _Optional[str] = ..., source_repo: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., deploy_to: _Optional[str] = ..., author_login: _Optional[str] = ..., author_name: _Optional[str] = ..., author_email: _Optional[str] = ..., author_avatar: _Optional[str] = ..., sender: _Optional[str] = ..., trigger: _Optional[str] = ..., cron: _Optional[str] = ..., params: _Optional[_Mapping[str, str]] = ..., debug: bool = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., external_id: _Optional[str] = ..., release: _Optional[str] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., waiting_for: _Optional[str] = ..., retry_of: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ..., comment: _Optional[str] = ..., rollback_of: _Optional[int] = ..., rolled_back_by: _Optional[int] = ..., superseded_by: _Optional[int] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ..., masked_params: _Optional[_Iterable[str]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("gate", "result", "reason", "cleared_by", "earliest")
    GATE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CLEARED_BY_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_FIELD_NUMBER: _ClassVar[int]
    gate: str
    result: GateResult
    reason: str
    cleared_by: _containers.RepeatedScalarFieldContainer[str]
    earliest: _timestamp_pb2.Timestamp
    def __init__(self, gate: _Optional[str] = ..., result: _Optional[_Union[GateResult, str]] = ..., reason: _Optional[str] = ..., cleared_by: _Optional[_Iterable[str]] = ..., earliest: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("gate", "reason")
    GATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    gate: str
    reason: str
    def __init__(self, gate: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("login", "declined", "comment", "at", "void")
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    DECLINED_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    VOID_FIELD_NUMBER: _ClassVar[int]
    login: str
    declined: bool
    comment: str
    at: _timestamp_pb2.Timestamp
    void: bool
    def __init__(self, login: _Optional[str] = ..., declined: bool = ..., comment: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., void: bool = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("name", "uri", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    uri: str
    digest: str
    def __init__(self, name: _Optional[str] = ..., uri: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("id", "repo_id", "build_id", "number", "name", "kind", "type", "status", "error", "errignore", "exit_code", "machine", "os", "arch", "variant", "kernel", "limit", "throttle", "started", "stopped", "created", "updated", "version", "on_success", "on_failure", "depends_on", "labels", "steps", "message", "link")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    REPO_ID_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ERRIGNORE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    id: int
    repo_id: int
    build_id: int
    number: int
    name: str
    kind: str
    type: str
    status: BuildStatus
    error: str
    errignore: bool
    exit_code: int
    machine: str
    os: str
    arch: str
    variant: str
    kernel: str
    limit: int
    throttle: int
    started: _timestamp_pb2.Timestamp
    stopped: _timestamp_pb2.Timestamp
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    version: int
    on_success: bool
    on_failure: bool
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    message: str
    link: str
    def __init__(self, id: _Optional[int] = ..., repo_id: _Optional[int] = ..., build_id: _Optional[int] = ..., number: _Optional[int] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., status: _Optional[_Union[BuildStatus, str]] = ..., error: _Optional[str] = ..., errignore: bool = ..., exit_code: _Optional[int] = ..., machine: _Optional[str] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., variant: _Optional[str] = ..., kernel: _Optional[str] = ..., limit: _Optional[int] = ..., throttle: _Optional[int] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., on_success: bool = ..., on_failure: bool = ..., depends_on: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., message: _Optional[str] = ..., link: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("id", "stage_id", "number", "name", "status", "error", "errignore", "exit_code", "started", "stopped", "version", "depends_on", "image", "detached", "schema")
    ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ERRIGNORE_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    id: int
    stage_id: int
    number: int
    name: str
    status: BuildStatus
    error: str
    errignore: bool
    exit_code: int
    started: _timestamp_pb2.Timestamp
    stopped: _timestamp_pb2.Timestamp
    version: int
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    image: str
    detached: bool
    schema: str
    def __init__(self, id: _Optional[int] = ..., stage_id: _Optional[int] = ..., number: _Optional[int] = ..., name: _Optional[str] = ..., status: _Optional[_Union[BuildStatus, str]] = ..., error: _Optional[str] = ..., errignore: bool = ..., exit_code: _Optional[int] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., depends_on: _Optional[_Iterable[str]] = ..., image: _Optional[str] = ..., detached: bool = ..., schema: _Optional[str] = ...) -> None: ...

class PromoteRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "target", "params", "request_id", "expected_current", "despite_lost", "drop_params", "overrides", "comment")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CURRENT_FIELD_NUMBER: _ClassVar[int]
    DESPITE_LOST_FIELD_NUMBER: _ClassVar[int]
    DROP_PARAMS_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    target: str
    params: _containers.ScalarMap[str, str]
    request_id: str
    expected_current: int
    despite_lost: int
    drop_params: _containers.RepeatedScalarFieldContainer[str]
    overrides: _containers.RepeatedCompositeFieldContainer[Override]
    comment: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., target: _Optional[str] = ..., params: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ..., expected_current: _Optional[int] = ..., despite_lost: _Optional[int] = ..., drop_params: _Optional[_Iterable[str]] = ..., overrides: _Optional[_Iterable[_Union[Override, _Mapping]]] = ..., comment: _Optional[str] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("owner", "repo", "target", "build", "params", "request_id", "expected_current", "cancel_running", "comment", "drop_params")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CURRENT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_RUNNING_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DROP_PARAMS_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    target: str
    build: int
    params: _containers.ScalarMap[str, str]
    request_id: str
    expected_current: int
    cancel_running: bool
    comment: str
    drop_params: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., target: _Optional[str] = ..., build: _Optional[int] = ..., params: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ..., expected_current: _Optional[int] = ..., cancel_running: bool = ..., comment: _Optional[str] = ..., drop_params: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplainPromotionResponse(_message.Message):
    __slots__ = ("verdicts", "build", "diff")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    build: Build
    diff: DiffPromotionResponse
    def __init__(self, verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., build: _Optional[_Union[Build, _Mapping]] = ..., diff: _Optional[_Union[DiffPromotionResponse, _Mapping]] = ...) -> None: ...

class DiffPromotionResponse(_message.Message):
    __slots__ = ("current", "build", "compare_link", "is_backwards", "builds", "more_builds", "params", "artifacts")
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    COMPARE_LINK_FIELD_NUMBER: _ClassVar[int]
    IS_BACKWARDS_FIELD_NUMBER: _ClassVar[int]
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    MORE_BUILDS_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    current: Build
    build: Build
    compare_link: str
    is_backwards: bool
    builds: _containers.RepeatedCompositeFieldContainer[Build]
    more_builds: int
    params: _containers.RepeatedCompositeFieldContainer[ParameterChange]
    artifacts: _containers.RepeatedCompositeFieldContainer[ArtifactChange]
    def __init__(self, current: _Optional[_Union[Build, _Mapping]] = ..., build: _Optional[_Union[Build, _Mapping]] = ..., compare_link: _Optional[str] = ..., is_backwards: bool = ..., builds: _Optional[_Iterable[_Union[Build, _Mapping]]] = ..., more_builds: _Optional[int] = ..., params: _Optional[_Iterable[_Union[ParameterChange, _Mapping]]] = ..., artifacts: _Optional[_Iterable[_Union[ArtifactChange, _Mapping]]] = ...) -> None: ...

class ParameterChange(_message.Message):
    __slots__ = ("name", "before", "after", "masked")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    name: str
    before: str
    after: str
    masked: bool
    def __init__(self, name: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., masked: bool = ...) -> None: ...

class ArtifactChange(_message.Message):
    __slots__ = ("name", "before", "after")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    name: str
    before: Artifact
    after: Artifact
    def __init__(self, name: _Optional[str] = ..., before: _Optional[_Union[Artifact, _Mapping]] = ..., after: _Optional[_Union[Artifact, _Mapping]] = ...) -> None: ...

class ApproveBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "comment", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    comment: str
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., comment: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeclineBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "comment", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    comment: str
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., comment: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "number", "external_id", "event", "status", "action", "link", "title", "message", "before", "after", "ref", "source_repo", "source", "target", "author_login", "author_name", "author_email", "author_avatar", "sender", "cron", "debug", "params", "timestamp", "started", "finished", "release", "artifacts", "stages", "request_id", "pipeline", "run")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REPO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_LOGIN_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_NAME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_EMAIL_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_AVATAR_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    number: int
    external_id: str
    event: BuildEvent
    status: BuildStatus
    action: str
    link: str
    title: str
    message: str
    before: str
    after: str
    ref: str
    source_repo: str
    source: str
    target: str
    author_login: str
    author_name: str
    author_email: str
    author_avatar: str
    sender: str
    cron: str
    debug: bool
    params: _containers.ScalarMap[str, str]
    timestamp: _timestamp_pb2.Timestamp
    started: _timestamp_pb2.Timestamp
    finished: _timestamp_pb2.Timestamp
    release: str
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    stages: _containers.RepeatedCompositeFieldContainer[StageSpec]
    request_id: str
    pipeline: str
    run: bool
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., number: _Optional[int] = ..., external_id: _Optional[str] = ..., event: _Optional[_Union[BuildEvent, str]] = ..., status: _Optional[_Union[BuildStatus, str]] = ..., action: _Optional[str] = ..., link: _Optional[str] = ..., title: _Optional[str] = ..., message: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., ref: _Optional[str] = ..., source_repo: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., author_login: _Optional[str] = ..., author_name: _Optional[str] = ..., author_email: _Optional[str] = ..., author_avatar: _Optional[str] = ..., sender: _Optional[str] = ..., cron: _Optional[str] = ..., debug: bool = ..., params: _Optional[_Mapping[str, str]] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., release: _Optional[str] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[StageSpec, _Mapping]]] = ..., request_id: _Optional[str] = ..., pipeline: _Optional[str] = ..., run: bool = ...) -> None: ...

class StageSpec(_message.Message):
    __slots__ = ("name", "kind", "type", "os", "arch", "variant", "kernel", "machine", "errignore", "limit", "throttle", "on_success", "on_failure", "depends_on", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    ERRIGNORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    ON_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    machine: str
    errignore: bool
    limit: int
    throttle: int
    on_success: bool
    on_failure: bool
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., variant: _Optional[str] = ..., kernel: _Optional[str] = ..., machine: _Optional[str] = ..., errignore: bool = ..., limit: _Optional[int] = ..., throttle: _Optional[int] = ..., on_success: bool = ..., on_failure: bool = ..., depends_on: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UpdateBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "status", "started", "finished", "message", "link", "version", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    status: BuildStatus
    started: _timestamp_pb2.Timestamp
    finished: _timestamp_pb2.Timestamp
    message: str
    link: str
    version: int
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., status: _Optional[_Union[BuildStatus, str]] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., link: _Optional[str] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class RetryBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "params", "request_id", "drop_params", "overrides", "comment")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DROP_PARAMS_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    params: _containers.ScalarMap[str, str]
    request_id: str
    drop_params: _containers.RepeatedScalarFieldContainer[str]
    overrides: _containers.RepeatedCompositeFieldContainer[Override]
    comment: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., params: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ..., drop_params: _Optional[_Iterable[str]] = ..., overrides: _Optional[_Iterable[_Union[Override, _Mapping]]] = ..., comment: _Optional[str] = ...) -> None: ...

class CancelBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "view")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    view: BuildView
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., view: _Optional[_Union[BuildView, str]] = ...) -> None: ...

class ListBuildsRequest(_message.Message):
    __slots__ = ("owner", "repo", "events", "statuses", "commit", "release", "external_id", "environment", "ref", "origin", "page_size", "page_token", "skip", "view", "created_after", "created_before", "trigger", "parent")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    events: _containers.RepeatedScalarFieldContainer[BuildEvent]
    statuses: _containers.RepeatedScalarFieldContainer[BuildStatus]
    commit: str
    release: str
    external_id: str
    environment: str
    ref: str
    origin: int
    page_size: int
    page_token: str
    skip: int
    view: BuildView
    created_after: _timestamp_pb2.Timestamp
    created_before: _timestamp_pb2.Timestamp
    trigger: str
    parent: int
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., events: _Optional[_Iterable[_Union[BuildEvent, str]]] = ..., statuses: _Optional[_Iterable[_Union[BuildStatus, str]]] = ..., commit: _Optional[str] = ..., release: _Optional[str] = ..., external_id: _Optional[str] = ..., environment: _Optional[str] = ..., ref: _Optional[str] = ..., origin: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., skip: _Optional[int] = ..., view: _Optional[_Union[BuildView, str]] = ..., created_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trigger: _Optional[str] = ..., parent: _Optional[int] = ...) -> None: ...

class ListBuildsResponse(_message.Message):
    __slots__ = ("builds", "next_page_token")
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    builds: _containers.RepeatedCompositeFieldContainer[Build]
    next_page_token: str
    def __init__(self, builds: _Optional[_Iterable[_Union[Build, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TailLogRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "stage", "step", "position", "follow")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    stage: int
    step: int
    position: int
    follow: bool
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., stage: _Optional[int] = ..., step: _Optional[int] = ..., position: _Optional[int] = ..., follow: bool = ...) -> None: ...

class TailLogResponse(_message.Message):
    __slots__ = ("lines", "next_position", "stage", "step")
    LINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_POSITION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    next_position: int
    stage: int
    step: int
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., next_position: _Optional[int] = ..., stage: _Optional[int] = ..., step: _Optional[int] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("position", "text", "time")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    position: int
    text: str
    time: _duration_pb2.Duration
    def __init__(self, position: _Optional[int] = ..., text: _Optional[str] = ..., time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitBuildRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "seen_version")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEEN_VERSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    seen_version: int
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., seen_version: _Optional[int] = ...) -> None: ...

class WatchBuildsRequest(_message.Message):
    __slots__ = ("owner", "repo", "build", "environment", "events", "cursor")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    build: int
    environment: str
    events: _containers.RepeatedScalarFieldContainer[BuildEvent]
    cursor: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., environment: _Optional[str] = ..., events: _Optional[_Iterable[_Union[BuildEvent, str]]] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchBuildsResponse(_message.Message):
    __slots__ = ("cursor", "snapshot", "snapshot_end", "change", "heartbeat")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    snapshot: Build
    snapshot_end: SnapshotEnd
    change: Change
    heartbeat: Heartbeat
    def __init__(self, cursor: _Optional[str] = ..., snapshot: _Optional[_Union[Build, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Change(_message.Message):
    __slots__ = ("time", "owner", "repo", "build", "stage", "environment", "moved_build", "moved_stage", "moved_step", "environment_action")
    TIME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    MOVED_BUILD_FIELD_NUMBER: _ClassVar[int]
    MOVED_STAGE_FIELD_NUMBER: _ClassVar[int]
    MOVED_STEP_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ACTION_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    owner: str
    repo: str
    build: int
    stage: int
    environment: str
    moved_build: Build
    moved_stage: Stage
    moved_step: Step
    environment_action: EnvironmentAction
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owner: _Optional[str] = ..., repo: _Optional[str] = ..., build: _Optional[int] = ..., stage: _Optional[int] = ..., environment: _Optional[str] = ..., moved_build: _Optional[_Union[Build, _Mapping]] = ..., moved_stage: _Optional[_Union[Stage, _Mapping]] = ..., moved_step: _Optional[_Union[Step, _Mapping]] = ..., environment_action: _Optional[_Union[EnvironmentAction, str]] = ...) -> None: ...
