import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shiplift.v1 import access_pb2 as _access_pb2
from shiplift.v1 import builds_pb2 as _builds_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Deployer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYER_UNSPECIFIED: _ClassVar[Deployer]
    DEPLOYER_PIPELINE: _ClassVar[Deployer]
    DEPLOYER_EXTERNAL: _ClassVar[Deployer]

class QueuePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_POLICY_UNSPECIFIED: _ClassVar[QueuePolicy]
    QUEUE_POLICY_QUEUE: _ClassVar[QueuePolicy]
    QUEUE_POLICY_SUPERSEDE: _ClassVar[QueuePolicy]
    QUEUE_POLICY_REJECT: _ClassVar[QueuePolicy]

class HoldScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLD_SCOPE_UNSPECIFIED: _ClassVar[HoldScope]
    HOLD_SCOPE_ALL: _ClassVar[HoldScope]
    HOLD_SCOPE_AUTOMATIC: _ClassVar[HoldScope]
DEPLOYER_UNSPECIFIED: Deployer
DEPLOYER_PIPELINE: Deployer
DEPLOYER_EXTERNAL: Deployer
QUEUE_POLICY_UNSPECIFIED: QueuePolicy
QUEUE_POLICY_QUEUE: QueuePolicy
QUEUE_POLICY_SUPERSEDE: QueuePolicy
QUEUE_POLICY_REJECT: QueuePolicy
HOLD_SCOPE_UNSPECIFIED: HoldScope
HOLD_SCOPE_ALL: HoldScope
HOLD_SCOPE_AUTOMATIC: HoldScope

class Deployment(_message.Message):
    __slots__ = ("owner", "repo", "environment", "current", "in_flight", "last_failed", "failed_step", "uncertain", "latest", "waiting", "hold", "freeze", "declared", "since")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILED_FIELD_NUMBER: _ClassVar[int]
    FAILED_STEP_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    current: _builds_pb2.Build
    in_flight: _builds_pb2.Build
    last_failed: _builds_pb2.Build
    failed_step: str
    uncertain: Uncertain
    latest: _builds_pb2.Build
    waiting: _containers.RepeatedCompositeFieldContainer[_builds_pb2.Build]
    hold: Hold
    freeze: ActiveFreeze
    declared: bool
    since: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., current: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., in_flight: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., last_failed: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., failed_step: _Optional[str] = ..., uncertain: _Optional[_Union[Uncertain, _Mapping]] = ..., latest: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., waiting: _Optional[_Iterable[_Union[_builds_pb2.Build, _Mapping]]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., freeze: _Optional[_Union[ActiveFreeze, _Mapping]] = ..., declared: bool = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActiveFreeze(_message.Message):
    __slots__ = ("name", "reason", "until")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    until: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Environment(_message.Message):
    __slots__ = ("owner", "repo", "name", "deployer", "promoters", "promoter_level", "required_approvals", "approvers", "approval_window", "requires", "soak", "allow_failed", "queue_policy", "freezes", "params", "overriders", "link", "description", "confirm", "rules_version", "version", "created", "updated")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEPLOYER_FIELD_NUMBER: _ClassVar[int]
    PROMOTERS_FIELD_NUMBER: _ClassVar[int]
    PROMOTER_LEVEL_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_WINDOW_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_FIELD_NUMBER: _ClassVar[int]
    SOAK_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FAILED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POLICY_FIELD_NUMBER: _ClassVar[int]
    FREEZES_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    OVERRIDERS_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    name: str
    deployer: Deployer
    promoters: _containers.RepeatedScalarFieldContainer[str]
    promoter_level: _access_pb2.AccessLevel
    required_approvals: int
    approvers: _containers.RepeatedScalarFieldContainer[str]
    approval_window: _duration_pb2.Duration
    requires: str
    soak: _duration_pb2.Duration
    allow_failed: bool
    queue_policy: QueuePolicy
    freezes: _containers.RepeatedCompositeFieldContainer[Freeze]
    params: _containers.RepeatedCompositeFieldContainer[ParameterRule]
    overriders: _containers.RepeatedScalarFieldContainer[str]
    link: str
    description: str
    confirm: bool
    rules_version: int
    version: int
    created: _timestamp_pb2.Timestamp
    updated: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., name: _Optional[str] = ..., deployer: _Optional[_Union[Deployer, str]] = ..., promoters: _Optional[_Iterable[str]] = ..., promoter_level: _Optional[_Union[_access_pb2.AccessLevel, str]] = ..., required_approvals: _Optional[int] = ..., approvers: _Optional[_Iterable[str]] = ..., approval_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., requires: _Optional[str] = ..., soak: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., allow_failed: bool = ..., queue_policy: _Optional[_Union[QueuePolicy, str]] = ..., freezes: _Optional[_Iterable[_Union[Freeze, _Mapping]]] = ..., params: _Optional[_Iterable[_Union[ParameterRule, _Mapping]]] = ..., overriders: _Optional[_Iterable[str]] = ..., link: _Optional[str] = ..., description: _Optional[str] = ..., confirm: bool = ..., rules_version: _Optional[int] = ..., version: _Optional[int] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Freeze(_message.Message):
    __slots__ = ("name", "zone", "to", "weekly", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    WEEKLY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    zone: str
    to: str
    weekly: _containers.RepeatedCompositeFieldContainer[WeeklyWindow]
    reason: str
    def __init__(self, name: _Optional[str] = ..., zone: _Optional[str] = ..., to: _Optional[str] = ..., weekly: _Optional[_Iterable[_Union[WeeklyWindow, _Mapping]]] = ..., reason: _Optional[str] = ..., **kwargs) -> None: ...

class WeeklyWindow(_message.Message):
    __slots__ = ("to",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: str
    def __init__(self, to: _Optional[str] = ..., **kwargs) -> None: ...

class ParameterRule(_message.Message):
    __slots__ = ("name", "description", "required", "default", "choices", "pattern", "secret")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    required: bool
    default: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    pattern: str
    secret: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., required: bool = ..., default: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ..., pattern: _Optional[str] = ..., secret: bool = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("owner", "repo", "environment", "scope", "by", "reason", "since", "until")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    scope: HoldScope
    by: str
    reason: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., scope: _Optional[_Union[HoldScope, str]] = ..., by: _Optional[str] = ..., reason: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OwnerRules(_message.Message):
    __slots__ = ("owner", "freezes", "version")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FREEZES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    freezes: _containers.RepeatedCompositeFieldContainer[Freeze]
    version: int
    def __init__(self, owner: _Optional[str] = ..., freezes: _Optional[_Iterable[_Union[Freeze, _Mapping]]] = ..., version: _Optional[int] = ...) -> None: ...

class CreateEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: Environment
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ...) -> None: ...

class ListEnvironmentsRequest(_message.Message):
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

class ListEnvironmentsResponse(_message.Message):
    __slots__ = ("environments", "next_page_token")
    ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    environments: _containers.RepeatedCompositeFieldContainer[Environment]
    next_page_token: str
    def __init__(self, environments: _Optional[_Iterable[_Union[Environment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "update_mask", "version", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: Environment
    update_mask: _field_mask_pb2.FieldMask
    version: int
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "request_id", "version")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    request_id: str
    version: int
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., request_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class HoldEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "scope", "reason", "until", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    scope: HoldScope
    reason: str
    until: _timestamp_pb2.Timestamp
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., scope: _Optional[_Union[HoldScope, str]] = ..., reason: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResumeEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "comment", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    comment: str
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., comment: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetOwnerRulesRequest(_message.Message):
    __slots__ = ("owner", "repo")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ...) -> None: ...

class UpdateOwnerRulesRequest(_message.Message):
    __slots__ = ("owner", "rules", "version", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    rules: OwnerRules
    version: int
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., rules: _Optional[_Union[OwnerRules, _Mapping]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class Uncertain(_message.Message):
    __slots__ = ("build", "stage", "machine", "since")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    build: int
    stage: str
    machine: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, build: _Optional[int] = ..., stage: _Optional[str] = ..., machine: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDeploymentsRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "page_size", "page_token", "at")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    page_size: int
    page_token: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDeploymentsResponse(_message.Message):
    __slots__ = ("deployments", "next_page_token")
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    next_page_token: str
    def __init__(self, deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SettleEnvironmentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "build", "comment", "request_id")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    build: int
    comment: str
    request_id: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., build: _Optional[int] = ..., comment: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetDeploymentRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ...) -> None: ...

class RehearsePolicyRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "last")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: Environment
    last: int
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., last: _Optional[int] = ...) -> None: ...

class RehearsePolicyResponse(_message.Message):
    __slots__ = ("looked_at", "refused", "waited", "promotions")
    LOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    WAITED_FIELD_NUMBER: _ClassVar[int]
    PROMOTIONS_FIELD_NUMBER: _ClassVar[int]
    looked_at: int
    refused: int
    waited: int
    promotions: _containers.RepeatedCompositeFieldContainer[RehearsedPromotion]
    def __init__(self, looked_at: _Optional[int] = ..., refused: _Optional[int] = ..., waited: _Optional[int] = ..., promotions: _Optional[_Iterable[_Union[RehearsedPromotion, _Mapping]]] = ...) -> None: ...

class RehearsedPromotion(_message.Message):
    __slots__ = ("build", "verdicts")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    build: _builds_pb2.Build
    verdicts: _containers.RepeatedCompositeFieldContainer[_builds_pb2.Verdict]
    def __init__(self, build: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., verdicts: _Optional[_Iterable[_Union[_builds_pb2.Verdict, _Mapping]]] = ...) -> None: ...

class Arrival(_message.Message):
    __slots__ = ("build", "since", "until", "by", "comment", "settled")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    build: _builds_pb2.Build
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    by: str
    comment: str
    settled: bool
    def __init__(self, build: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., by: _Optional[str] = ..., comment: _Optional[str] = ..., settled: bool = ...) -> None: ...

class ListDeploymentHistoryRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "since", "until", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeploymentHistoryResponse(_message.Message):
    __slots__ = ("arrivals", "next_page_token")
    ARRIVALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    arrivals: _containers.RepeatedCompositeFieldContainer[Arrival]
    next_page_token: str
    def __init__(self, arrivals: _Optional[_Iterable[_Union[Arrival, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDeliveryFiguresRequest(_message.Message):
    __slots__ = ("owner", "repo", "environment", "since", "until")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeliveryFigures(_message.Message):
    __slots__ = ("since", "until", "deployments", "lead_time", "changes", "failed_changes", "time_to_restore", "unrestored", "incomplete")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    LEAD_TIME_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    FAILED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_RESTORE_FIELD_NUMBER: _ClassVar[int]
    UNRESTORED_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    deployments: int
    lead_time: Lengths
    changes: int
    failed_changes: int
    time_to_restore: Lengths
    unrestored: int
    incomplete: bool
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deployments: _Optional[int] = ..., lead_time: _Optional[_Union[Lengths, _Mapping]] = ..., changes: _Optional[int] = ..., failed_changes: _Optional[int] = ..., time_to_restore: _Optional[_Union[Lengths, _Mapping]] = ..., unrestored: _Optional[int] = ..., incomplete: bool = ...) -> None: ...

class Lengths(_message.Message):
    __slots__ = ("count", "median", "p90")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    count: int
    median: _duration_pb2.Duration
    p90: _duration_pb2.Duration
    def __init__(self, count: _Optional[int] = ..., median: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p90: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
