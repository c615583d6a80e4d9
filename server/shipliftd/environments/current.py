"""What is in an environment: the last promotion to it that succeeded, unless somebody said otherwise."""

from shipliftd.store.models import Deployment
from shipliftd.store.rows import BuildRow
from shipliftd.store.transaction import Transaction


def becomes_current(tx: Transaction, build: BuildRow) -> None:
    """Makes a promotion what is in its environment."""
    there = Deployment.insert(
        repo=build.repo_id,
        environment=build.deploy_to,
        build=build.id,
        number=build.number,
        updated=build.updated,
    ).on_conflict(
        conflict_target=[Deployment.repo, Deployment.environment],
        preserve=[Deployment.build, Deployment.number, Deployment.updated],
    )
    tx.execute(there)
