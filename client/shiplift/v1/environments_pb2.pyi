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

class Deployment(_message.Message):
    __slots__ = ("owner", "repo", "environment", "current", "in_flight", "last_failed", "failed_step", "uncertain", "latest")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILED_FIELD_NUMBER: _ClassVar[int]
    FAILED_STEP_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    current: _builds_pb2.Build
    in_flight: _builds_pb2.Build
    last_failed: _builds_pb2.Build
    failed_step: str
    uncertain: Uncertain
    latest: _builds_pb2.Build
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., current: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., in_flight: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., last_failed: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ..., failed_step: _Optional[str] = ..., uncertain: _Optional[_Union[Uncertain, _Mapping]] = ..., latest: _Optional[_Union[_builds_pb2.Build, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("owner", "repo", "environment", "page_size", "page_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REPO_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    repo: str
    environment: str
    page_size: int
    page_token: str
    def __init__(self, owner: _Optional[str] = ..., repo: _Optional[str] = ..., environment: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

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
