"""The tables, as peewee models, and the rows that are read of them.

Times are integers, in milliseconds since 1970 (UTC); 0: not yet. Lists and maps are JSON text. Statuses,
events and the like are stored as the short lower-case words that people read; levels as the API's
numbers, because they are compared.
"""

from shipliftd.store.models.access import Grant, Repository, Token, User
from shipliftd.store.models.builds import (
    IS_QUEUED,
    IS_UNDER_WAY,
    QUEUED,
    Arrival,
    Build,
    Change,
    Deployment,
    Lost,
)
from shipliftd.store.models.environments import HOLD_SCOPES, Approval, Environment, Hold, OwnerRules
from shipliftd.store.models.secrets import Secret
from shipliftd.store.models.stages import LogLine, Pipeline, Runner, Stage, Step
from shipliftd.store.models.table import (
    ENDED,
    EVENTS,
    FAILED,
    IS_UNENDED,
    STATUSES,
    UNENDED,
    VISIBILITIES,
    Setting,
    Table,
    one_of,
)
from shipliftd.store.models.writes import Audit, Request

TABLES = (
    Setting,
    User,
    Token,
    Repository,
    Grant,
    Build,
    Stage,
    Step,
    LogLine,
    Pipeline,
    Runner,
    Deployment,
    Arrival,
    Lost,
    Environment,
    Hold,
    OwnerRules,
    Approval,
    Secret,
    Request,
    Change,
    Audit,
)

__all__ = [
    "ENDED",
    "EVENTS",
    "FAILED",
    "HOLD_SCOPES",
    "IS_QUEUED",
    "IS_UNDER_WAY",
    "IS_UNENDED",
    "QUEUED",
    "STATUSES",
    "TABLES",
    "UNENDED",
    "VISIBILITIES",
    "Approval",
    "Arrival",
    "Audit",
    "Build",
    "Change",
    "Deployment",
    "Environment",
    "Grant",
    "Hold",
    "LogLine",
    "Lost",
    "OwnerRules",
    "Pipeline",
    "Repository",
    "Request",
    "Runner",
    "Secret",
    "Setting",
    "Stage",
    "Step",
    "Table",
    "Token",
    "User",
    "one_of",
]
