"""What is in an environment: the last promotion to it that succeeded, unless somebody said otherwise."""

from shipliftd.store.models import Deployment
from shipliftd.store.rows import BuildRow


def becomes_current(build: BuildRow) -> None:
    """Makes a promotion what is in its environment."""
    Deployment.insert(
        repo=build.repo_id,
        environment=build.deploy_to,
        build=build.id,
        number=build.number,
        updated=build.updated,
    ).on_conflict(
        conflict_target=[Deployment.repo, Deployment.environment],
        preserve=[Deployment.build, Deployment.number, Deployment.updated],
    ).execute()
