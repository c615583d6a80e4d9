from shiplift.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "features", "limits")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    version: str
    features: _containers.RepeatedScalarFieldContainer[str]
    limits: ServerLimits
    def __init__(self, version: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ...) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ("page_size", "default_page_size", "page_bytes", "params", "param_name_characters", "param_value_bytes", "params_bytes", "pipeline_bytes", "stages", "artifacts", "log_bytes", "append_lines", "request_bytes", "lease_seconds")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    PARAM_VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PARAMS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    APPEND_LINES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    default_page_size: int
    page_bytes: int
    params: int
    param_name_characters: int
    param_value_bytes: int
    params_bytes: int
    pipeline_bytes: int
    stages: int
    artifacts: int
    log_bytes: int
    append_lines: int
    request_bytes: int
    lease_seconds: int
    def __init__(self, page_size: _Optional[int] = ..., default_page_size: _Optional[int] = ..., page_bytes: _Optional[int] = ..., params: _Optional[int] = ..., param_name_characters: _Optional[int] = ..., param_value_bytes: _Optional[int] = ..., params_bytes: _Optional[int] = ..., pipeline_bytes: _Optional[int] = ..., stages: _Optional[int] = ..., artifacts: _Optional[int] = ..., log_bytes: _Optional[int] = ..., append_lines: _Optional[int] = ..., request_bytes: _Optional[int] = ..., lease_seconds: _Optional[int] = ...) -> None: ...
