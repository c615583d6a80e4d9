"""TailLog of whole builds and stages, and of steps that have not begun."""

from datetime import timedelta

import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.support.refusals import refusal
from tests.support.repository import Repository
from tests.support.staged import KILLED, RUNNING, SUCCESS, Staged
from tests.support.waiting import tail

Part = tuple[int, int, list[str]]
TWO = ({"name": "first"}, {"name": "second", "depends_on": ["first"]})


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def part(of: api.TailLogResponse) -> Part:
    return of.stage, of.step, [line.text for line in of.lines]


def parts(repository: Repository, *, stage: int = 0, follow: bool = False) -> list[Part]:
    """What is there of the build's log."""
    return [part(some) for some in tail(repository, stage=stage, step=0, follow=follow)]


def begin(staged: Staged, stage: api.Stage, *steps: int) -> dict[int, api.Step]:
    """Takes a stage and reports steps that run; by number."""
    staged.runner.accept(stage.id)
    reports = [pb.StepReport(number=n, status=RUNNING) for n in steps]
    return {step.number: step for step in staged.runner.report(stage.id, RUNNING, steps=reports).steps}


def end(staged: Staged, *steps: api.Step) -> None:
    for step in steps:
        staged.runner.report_step(step.id, SUCCESS)


def test_a_build_is_read_in_the_order_of_its_stages_and_steps(staged: Staged) -> None:
    build = staged.promoted(*TWO)
    for stage in build.stages:
        steps = begin(staged, stage, 1, 2)
        # As if they ran beside each other.
        staged.runner.append(steps[2].id, 0, f"{stage.number}.2\n")
        staged.runner.append(steps[1].id, 0, f"{stage.number}.1\n", "more\n")
        end(staged, *steps.values())
        staged.runner.report(stage.id, SUCCESS)
    second = [(2, 1, ["2.1\n", "more\n"]), (2, 2, ["2.2\n"])]
    assert parts(staged.repository) == [(1, 1, ["1.1\n", "more\n"]), (1, 2, ["1.2\n"]), *second]
    assert parts(staged.repository, stage=2) == parts(staged.repository, stage=2, follow=True) == second
    assert parts(staged.repository, follow=True)[2:] == second
    (some,) = tail(staged.repository, stage=2, step=2)
    assert some == api.TailLogResponse(
        lines=[api.LogLine(position=0, text="2.2\n", time=timedelta(milliseconds=7))],
        next_position=1,
        stage=2,
        step=2,
    )


def test_a_build_is_followed_from_before_it_began_until_it_has_ended(staged: Staged) -> None:
    build = staged.promoted(*TWO)
    follow = tail(staged.repository, stage=0, step=0, follow=True)
    seen: list[Part] = []
    for stage in build.stages:
        for number in (1, 2):
            if number == 1:
                step = begin(staged, stage, 1)[1]
            else:
                reports = [pb.StepReport(number=2, status=RUNNING)]
                step = staged.runner.report(stage.id, RUNNING, steps=reports).steps[1]
            staged.runner.append(step.id, 0, "begun\n")
            seen.append(part(next(follow)))
            staged.runner.append(step.id, 1, "done\n")
            end(staged, step)
            seen.append(part(next(follow)))
        staged.runner.report(stage.id, SUCCESS)
    assert list(follow) == []
    assert seen == [
        (stage, step, [text]) for stage in (1, 2) for step in (1, 2) for text in ("begun\n", "done\n")
    ]


def test_steps_that_run_beside_each_other_keep_no_line_back(staged: Staged) -> None:
    (stage,) = staged.promoted().stages
    steps = begin(staged, stage, 1, 2)
    follow = tail(staged.repository, stage=0, step=0, follow=True)
    for position, number in ((0, 1), (0, 2), (1, 1), (1, 2)):
        staged.runner.append(steps[number].id, position, f"{position}\n")
        assert part(next(follow)) == (1, number, [f"{position}\n"])
    staged.runner.report(stage.id, SUCCESS)
    assert list(follow) == []


def test_who_follows_a_step_waits_until_it_begins(staged: Staged) -> None:
    (stage,) = staged.promoted().stages
    follow = tail(staged.repository, step=2, follow=True)
    first = begin(staged, stage, 1)[1]
    staged.runner.append(first.id, 0, "of another\n")
    reports = [pb.StepReport(number=2, status=RUNNING)]
    second = staged.runner.report(stage.id, RUNNING, steps=reports).steps[1]
    staged.runner.append(second.id, 0, "mine\n")
    assert part(next(follow)) == (1, 2, ["mine\n"])
    end(staged, second)
    assert list(follow) == []


def test_a_step_that_never_came_is_not_found_once_its_stage_has_ended(staged: Staged) -> None:
    (stage,) = staged.promoted().stages
    follow = tail(staged.repository, step=2, follow=True)
    begin(staged, stage, 1)
    staged.runner.report(stage.id, KILLED)
    assert refusal(list, follow).reason == "STEP_NOT_FOUND"
    # And one of a stage that is not there at once.
    assert refusal(list, tail(staged.repository, stage=9, follow=True)).reason == "STEP_NOT_FOUND"


def test_a_stage_that_is_not_there_is_not_found(staged: Staged) -> None:
    staged.promoted()
    told = refusal(list, tail(staged.repository, stage=9, step=0, follow=True))
    assert (told.reason, told.message) == ("STAGE_NOT_FOUND", "build 2 has no stage 9: it has 1")


def test_a_build_that_ends_without_steps_has_no_lines(staged: Staged) -> None:
    build = staged.promoted()
    assert parts(staged.repository) == []
    follow = tail(staged.repository, stage=0, step=0, follow=True)
    staged.repository.report(build.number, SUCCESS)
    assert list(follow) == []
