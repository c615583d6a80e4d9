"""The stages of a build to record: their defaults, limits and order."""

import grpc
import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.refusals import invalid, refusal
from tests.support.repository import Repository

# As the comments of StageSpec say.
STAGE_CHARACTERS = {
    "name": 100,
    "type": 100,
    "os": 100,
    "arch": 100,
    "variant": 100,
    "kernel": 100,
    "machine": 200,
}


def test_a_stage_without_words_is_drones_default(repository: Repository) -> None:
    recorded = repository.record(stages=[pb.StageSpec()])
    (stage,) = recorded.stages
    assert stage == pb.Stage(
        id=stage.id,
        repo_id=recorded.repo_id,
        build_id=recorded.id,
        number=1,
        name="default",
        kind="pipeline",
        type="docker",
        status=pb.BUILD_STATUS_PENDING,
        os="linux",
        arch="amd64",
        created=recorded.created,
        updated=recorded.created,
        version=1,
        on_success=True,
        on_failure=False,
    )


@pytest.mark.parametrize(("field", "most"), STAGE_CHARACTERS.items())
def test_a_text_of_a_stage_is_taken_up_to_its_length(repository: Repository, field: str, most: int) -> None:
    longest = "ä" * most
    recorded = repository.record(stages=[pb.StageSpec(**{field: longest})])  # type: ignore[arg-type]
    assert getattr(recorded.stages[0], field) == longest
    too_long = pb.StageSpec(**{field: longest + "x"})  # type: ignore[arg-type]
    assert refusal(repository.record, stages=[pb.StageSpec(name="first"), too_long]) == invalid(
        (f"stages[1].{field}", f"has {most + 1} characters: at most {most} are taken")
    )


@pytest.mark.parametrize(
    ("stages", "fault"),
    [
        (
            [pb.StageSpec(kind="Pipeline")],
            ("stages[0].kind", "'Pipeline': wanted pipeline or external"),
        ),
        ([pb.StageSpec(limit=-1)], ("stages[0].limit", "is -1: wanted 0 or above")),
        ([pb.StageSpec(throttle=-7)], ("stages[0].throttle", "is -7: wanted 0 or above")),
        (
            [pb.StageSpec(name="a"), pb.StageSpec(name="a")],
            ("stages", "'a' stands there twice: each name may stand once"),
        ),
        (
            [pb.StageSpec(), pb.StageSpec(name="default")],
            ("stages", "'default' stands there twice: each name may stand once"),
        ),
        (
            [pb.StageSpec(name="a", depends_on=["b"])],
            ("stages[0].depends_on", "'b' is not another stage of this build"),
        ),
        (
            [pb.StageSpec(name="a", depends_on=["a"])],
            ("stages[0].depends_on", "'a' is not another stage of this build"),
        ),
        (
            [pb.StageSpec(name="a"), pb.StageSpec(name="b", depends_on=["a", "a"])],
            ("stages[1].depends_on", "'a' stands there twice: each name may stand once"),
        ),
        (
            [pb.StageSpec(name=str(n)) for n in range(101)],
            ("stages", "101 of them: at most 100"),
        ),
        (
            [pb.StageSpec(labels={str(n): "" for n in range(101)})],
            ("stages[0].labels", "101 of them: at most 100"),
        ),
        ([pb.StageSpec(labels={"": "x"})], ("stages[0].labels", "a label has an empty name: give it one")),
        (
            [pb.StageSpec(labels={"k" * 101: ""})],
            ("stages[0].labels", "has 101 characters: at most 100 are taken"),
        ),
        (
            [pb.StageSpec(labels={"k": "v" * 1001})],
            ("stages[0].labels['k']", "has 1001 characters: at most 1000 are taken"),
        ),
        ([pb.StageSpec(name="a\0")], ("stages[0].name", "has a NUL character: leave it out")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_fault_of_a_stage_is_told_with_its_place(
    repository: Repository, stages: list[pb.StageSpec], fault: tuple[str, str]
) -> None:
    assert refusal(repository.record, stages=stages) == invalid(fault)


@pytest.mark.parametrize(
    "depends_on",
    [{"a": ["b"], "b": ["a"]}, {"a": ["c"], "b": ["a"], "c": ["b"]}],
    ids=["two", "three"],
)
def test_stages_that_wait_for_each_other_are_refused(
    repository: Repository, depends_on: dict[str, list[str]]
) -> None:
    stages = [pb.StageSpec(name=name, depends_on=others) for name, others in depends_on.items()]
    told = refusal(repository.record, stages=stages)
    assert (told.code, {field for field, _ in told.violations}) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        {"stages"},
    )


def test_a_stage_may_wait_for_a_later_one(repository: Repository) -> None:
    stages = [pb.StageSpec(name="b", depends_on=["a"]), pb.StageSpec(name="a")]
    recorded = repository.record(stages=stages)
    assert [(s.number, s.name, list(s.depends_on)) for s in recorded.stages] == [
        (1, "b", ["a"]),
        (2, "a", []),
    ]


def test_the_largest_build_is_taken(repository: Repository) -> None:
    labels = {str(n).rjust(100, "k"): "v" * 100 for n in range(100)}
    names = [str(n).rjust(100, "s") for n in range(12)]
    stages = [pb.StageSpec(name=name, labels=labels, depends_on=names[:n]) for n, name in enumerate(names)]
    recorded = repository.record(stages=stages)
    assert [(s.name, dict(s.labels), list(s.depends_on)) for s in recorded.stages] == [
        (name, labels, names[:n]) for n, name in enumerate(names)
    ]
    assert repository.get(1) == recorded


def test_stages_and_artifacts_are_bounded_together(repository: Repository) -> None:
    stages = [pb.StageSpec(name="s", labels={str(n): "v" * 1000 for n in range(100)})]
    artifacts = [pb.Artifact(name=str(n), uri="u" * 2000, digest="d" * 200) for n in range(50)]
    together = sum(part.ByteSize() for part in (*stages, *artifacts))
    repository.record(stages=stages, artifacts=artifacts)
    more = [*stages, pb.StageSpec(name="t", labels=stages[0].labels)]
    size = together + more[1].ByteSize()
    told = refusal(repository.record, stages=more, artifacts=artifacts)
    assert told == invalid(("stages", f"{size} bytes with the artifacts: at most 262144 (256 KiB)"))


def test_one_stage_too_many_is_told_at_once_however_many_there_are(repository: Repository) -> None:
    # Comparing each with each other would hold the server up for minutes.
    stages = [pb.StageSpec(name=str(n)) for n in range(100_000)]
    request = repository.recording(stages=stages)
    told = refusal(repository.builds.CreateBuild, request, timeout=10)
    assert told == invalid(("stages", "100000 of them: at most 100"))
