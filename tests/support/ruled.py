"""Environments with rules: declaring and holding them, each in one line."""

from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2, environments_pb2

from tests.support.repository import Repository


def declare(
    repository: Repository, name: str = "production", **rules: object
) -> environments_pb2.Environment:
    """CreateEnvironment, as the site admin."""
    return repository.server.environments().CreateEnvironment(
        environments_pb2.CreateEnvironmentRequest(
            owner=repository.owner,
            repo=repository.name,
            environment=environments_pb2.Environment(name=name, **rules),  # type: ignore[arg-type]
        )
    )


def hold(
    repository: Repository, environment: str = "production", reason: str = "we look"
) -> environments_pb2.Hold:
    """HoldEnvironment, as the site admin."""
    return repository.server.environments().HoldEnvironment(
        environments_pb2.HoldEnvironmentRequest(
            owner=repository.owner, repo=repository.name, environment=environment, reason=reason
        )
    )


def change_rules(
    repository: Repository, name: str = "production", **rules: object
) -> environments_pb2.Environment:
    """UpdateEnvironment of the rules that are given, as the site admin."""
    return repository.server.environments().UpdateEnvironment(
        environments_pb2.UpdateEnvironmentRequest(
            owner=repository.owner,
            repo=repository.name,
            environment=environments_pb2.Environment(name=name, **rules),  # type: ignore[arg-type]
            update_mask=FieldMask(paths=[*rules]),
        )
    )


def second_person(repository: Repository, **cuts: object) -> str:
    """The token of an admin of the repository who has promoted nothing, cut as told."""
    login = f"second-{repository.name}"
    return repository.server.user(login, repository.slug, access_pb2.ACCESS_LEVEL_ADMIN, **cuts)
