"""Parameters: which names and values a promotion may carry into the steps' environment."""

import string
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.builds.parameters import ParameterRules
from shipliftd.errors import Invalid, Precondition
from shipliftd.fields import Faults

from tests.support.harness import Shipliftd
from tests.support.hostile import ODD_VALUES
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository

KIB = 1024
REFUSED = "this name is refused, because a runner, a shell or a language obeys it: choose another"
NO_NAME = "not a variable's name: wanted letters, digits, '_', no digit first"

# Those that the issue lists, and what its patterns stand for.
REFUSED_NAMES = [
    *("DRONE_", "DRONE_DEPLOY_TO", "DRONE_x", "DRONE_9", "SHIPLIFT_", "SHIPLIFT_TOKEN", "SHIPLIFT_x"),
    *("CI", "PATH", "HOME", "SHELL", "IFS", "PS4", "SHELLOPTS", "BASHOPTS", "BASH_ENV"),
    *("LD_", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_x", "DYLD_", "DYLD_INSERT_LIBRARIES"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONX"),
    *("PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH"),
    *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSHx"),
    *("GIT_CONFIG", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_GLOBAL"),
    *("GIT_EXEC_PATH", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF"),
]
# What is close to them, and nobody obeys.
TAKEN_NAMES = [
    *("DRONE", "drone_x", "MY_DRONE_X", "DRONES_X", "SHIPLIFT", "shiplift_x", "SHIPLIFTX"),
    *("ci", "Ci", "CI_", "CI_X", "CI2", "ACI", "MY_CI", "path", "PATHS", "PATH_", "MY_PATH", "_PATH"),
    *("HOMES", "HOME_", "home", "SHELLS", "MY_SHELL", "IFS_", "PS4_", "PS1", "PS2", "PS44"),
    *("SHELLOPTS_", "BASHOPTS2", "BASH_ENV2", "BASH", "BASH_", "BASH_VERSION"),
    *("LD", "LDX", "OLD_X", "BUILD_X", "ld_preload", "DYLD", "MY_DYLD_X"),
    *("PYTHON", "PYTHON_", "PYTHON_VERSION", "PYTHON3", "PYTHONPATH_", "PYTHONPATH2", "PYTHONPATHx"),
    *("python", "PythonPATH", "MY_PYTHONPATH", "CPYTHON", "PYTHONp"),
    *("PERL5OPTS", "PERL5", "PERLLIB", "RUBYOPTS", "RUBYLIBS", "RUBY", "NODE_OPTION", "NODE_PATHS"),
    *("NODE_ENV", "JAVA_OPTIONS", "JAVA_HOME", "JAVA_OPTS", "JAVA_TOOL_OPTIONS_", "__JAVA_OPTIONS"),
    *("GIT", "GIT_", "GIT_SS", "GIT_CONFI", "git_ssh", "GIT_EXEC_PATHS", "GIT_ASKPASS2", "GIT_BRANCH"),
    *("GIT_COMMIT", "GIT_EXTERNAL_DIFFS", "MY_GIT_SSH"),
    *("A", "a", "_", "__", "_1", "a1", "Z" * 256, "_" * 256),
]
NO_NAMES = [
    "",
    "1",
    "1A",
    "A B",
    "A-B",
    "A.B",
    "A=B",
    " A",
    "A ",
    "A\n",
    "\nA",
    "é",
    "Ä",
    "\u0410",  # looks like an A
    "A\0",
    "٣",
    "ª",
]


def faults(rules: ParameterRules, params: Mapping[str, str]) -> set[str]:
    """The fields that the rules find wrong."""
    found = Faults()
    rules.check(params, found)
    rules.check_total(params, found)
    try:
        found.refuse()
    except Invalid as error:
        return {field for field, _ in error.violations}
    return set()


def is_refused(name: str) -> bool:
    """The issue's list, in other words than the server's."""
    exact = {
        *("CI", "PATH", "HOME", "SHELL", "IFS", "PS4", "SHELLOPTS", "BASHOPTS", "BASH_ENV"),
        *("PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH"),
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
        *("GIT_EXEC_PATH", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF"),
    }
    beginnings = ("DRONE_", "SHIPLIFT_", "LD_", "DYLD_", "GIT_SSH", "GIT_CONFIG")
    python = name[:6] == "PYTHON" and name != "PYTHON" and set(name[6:]) <= set(string.ascii_uppercase)
    return name in exact or name.startswith(beginnings) or python


def wrong(params: Mapping[str, str]) -> set[str]:
    """The fields that are wrong, by the words of the issue."""
    first = string.ascii_letters + "_"
    fields = set()
    for name, value in params.items():
        spelled = name != "" and name[0] in first and set(name) <= set(first + string.digits)
        fits = len(name) <= 256 and len(value.encode()) <= 32 * KIB and "\0" not in value
        if not spelled or not fits or is_refused(name):
            fields.add(f"params[{name[:57] + '...' if len(name) > 60 else name!r}]")
    return fields | ({"params"} if too_much(params) else set())


def too_much(params: Mapping[str, str]) -> bool:
    return len(params) > 100 or sum(len((n + v).encode()) for n, v in params.items()) > 128 * KIB


letters = st.sampled_from([*string.ascii_letters, *string.digits, "_"])
names = st.one_of(
    st.text(letters, max_size=12),
    st.text(max_size=6),
    st.sampled_from([*REFUSED_NAMES, *TAKEN_NAMES, *NO_NAMES]),
    st.builds(lambda name, more: name + more, st.sampled_from(REFUSED_NAMES), st.text(letters, max_size=3)),
    st.builds(lambda more, name: more + name, st.text(letters, max_size=3), st.sampled_from(REFUSED_NAMES)),
    st.sampled_from(REFUSED_NAMES).map(str.swapcase),
    st.integers(250, 262).map(lambda length: "N" * length),
)
sizes = st.one_of(st.integers(0, 10), st.integers(32 * KIB - 3, 32 * KIB + 3), st.just(20 * KIB))
values = st.one_of(
    st.text(max_size=20),
    st.builds(lambda size, character: character * size, sizes, st.sampled_from("xä\0")),
)


@given(st.dictionaries(names, values, max_size=8))
@example({f"N{n}": "" for n in range(100)})
@example({f"N{n}": "" for n in range(101)})
@example({f"N{n}": "x" * (32 * KIB - 2) for n in range(4)})
@example({f"N{n}": "x" * (32 * KIB - 2) for n in range(3)} | {"N3": "x" * (32 * KIB - 1)})
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_rules_are_those_of_the_issue(params: dict[str, str]) -> None:
    # What stands for a name in an error is cut, so two long names can look the same.
    assert faults(ParameterRules(), params) == wrong(params)


@given(st.text(letters, min_size=1, max_size=300))
@settings(max_examples=1000, deadline=None)
def test_names_are_refused_as_the_issue_lists_them(name: str) -> None:
    assert bool(faults(ParameterRules(), {name: ""})) == bool(wrong({name: ""}))


@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_a_name_that_something_obeys_is_refused(name: str) -> None:
    assert (faults(ParameterRules(), {name: ""}), is_refused(name)) == ({f"params[{name!r}]"}, True)


@pytest.mark.parametrize("name", TAKEN_NAMES, ids=lambda name: name[:20])
def test_a_name_that_is_close_to_those_is_taken(name: str) -> None:
    assert (faults(ParameterRules(), {name: ""}), is_refused(name)) == (set(), False)


def test_every_refused_name_is_told_at_once(repository: Repository) -> None:
    repository.record()
    told = refusal(repository.promote, 1, params=dict.fromkeys(REFUSED_NAMES[:5], "secret"))
    assert told == invalid(*((f"params[{name!r}]", REFUSED) for name in told_names(told)))
    assert sorted(told_names(told)) == sorted(REFUSED_NAMES[:5])


def told_names(told: Refusal) -> list[str]:
    return [field.removeprefix("params['").removesuffix("']") for field, _ in told.violations]


@pytest.mark.parametrize("start", range(0, len(REFUSED_NAMES), 10))
def test_refused_names_are_refused_by_the_server(repository: Repository, start: int) -> None:
    repository.record()
    for name in REFUSED_NAMES[start : start + 10]:
        told = invalid((f"params[{name!r}]", REFUSED))
        assert refusal(repository.promote, 1, params={name: "x"}) == told
        assert refusal(repository.record, params={name: "x"}) == told
    assert repository.numbers() == [1]


def test_taken_names_are_taken_by_the_server(repository: Repository) -> None:
    assert len(TAKEN_NAMES) <= 100
    params = {name: name[::-1] for name in TAKEN_NAMES}
    assert dict(repository.record(params=params).params) == params
    repository.record()
    assert dict(repository.promote(2, params=params).params) == params


def test_what_is_no_name_is_refused_by_the_server(repository: Repository) -> None:
    repository.record()
    for name in NO_NAMES:
        told = invalid((f"params[{name!r}]", NO_NAME))
        assert refusal(repository.promote, 1, params={name: "x"}) == told
        assert refusal(repository.record, params={name: "x"}) == told


@given(params=st.dictionaries(names, values, max_size=3))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_server_takes_what_the_issue_takes(repository: Repository, params: dict[str, str]) -> None:
    bad = wrong(params)
    if not bad:
        recorded = repository.record(params=params)
        assert dict(recorded.params) == params
        assert dict(repository.promote(recorded.number).params) == params
        return
    told = refusal(repository.record, params=params)
    assert ({field for field, _ in told.violations}, told.reason) == (bad, "INVALID_ARGUMENT")


def test_odd_values_come_back_byte_for_byte(repository: Repository) -> None:
    repository.record()
    promoted = repository.promote(1, params=ODD_VALUES)
    again = repository.promote(2)
    for build in (promoted, repository.get(2), again, repository.get(3)):
        assert {name: value.encode() for name, value in build.params.items()} == {
            name: value.encode() for name, value in ODD_VALUES.items()
        }


@pytest.mark.parametrize("value", ["x" * (32 * KIB + 1), "ä" * (16 * KIB) + "x", "🚢" * (8 * KIB + 1)])
def test_a_value_of_more_than_32_kib_is_refused(repository: Repository, value: str) -> None:
    repository.record()
    size = len(value.encode())
    assert refusal(repository.promote, 1, params={"A": value}) == invalid(
        ("params['A']", f"the value has {size} bytes: at most 32768 (32 KiB)")
    )


def test_a_value_with_a_nul_is_refused(repository: Repository) -> None:
    repository.record()
    assert refusal(repository.promote, 1, params={"A": "x\0y"}) == invalid(
        ("params['A']", "the value has a NUL, which no environment holds")
    )


def test_a_name_of_more_than_256_characters_is_refused(repository: Repository) -> None:
    repository.record()
    assert refusal(repository.promote, 1, params={"N" * 257: "x"}) == invalid(
        (f"params['{'N' * 57}...']", "the name has 257 characters: at most 256")
    )


def test_inherited_parameters_count_towards_the_hundred(repository: Repository) -> None:
    repository.record(params={f"A{n}": "" for n in range(60)})
    repository.promote(1, params={f"B{n}": "" for n in range(40)})
    told = ("params", "101 parameters, with those of the promoted build: at most 100")
    assert refusal(repository.promote, 2, params={"C": ""}) == invalid(told)
    assert refusal(repository.promote, 1, params={f"B{n}": "" for n in range(41)}) == invalid(told)
    # Overriding adds none.
    assert len(repository.promote(2, params={"A0": "other", "B0": "other"}).params) == 100
    assert refusal(repository.record, params={f"A{n}": "" for n in range(101)}) == invalid(told)


def test_inherited_parameters_count_towards_the_128_kib(repository: Repository) -> None:
    half = {f"A{n}": "x" * (32 * KIB - 2) for n in range(2)}
    repository.record(params=half)
    rest = {f"B{n}": "ä" * (16 * KIB - 1) for n in range(2)}
    promoted = repository.promote(1, params=rest)
    assert dict(promoted.params) == half | rest
    told = (
        "params",
        "131073 bytes of names and values, with those of the promoted build: at most 131072 (128 KiB)",
    )
    assert refusal(repository.promote, 2, params={"C": ""}) == invalid(told)
    assert refusal(repository.promote, 1, params={**rest, "C": ""}) == invalid(told)
    # A shorter value over a longer one makes room.
    assert len(repository.promote(2, params={"A0": "short", "C": "x"}).params) == 5


@pytest.fixture(scope="module")
def stricter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server whose setting adds names."""
    arguments = ("--refuse-param", "KUBECONFIG", "--refuse-param", "AWS_*")
    with Shipliftd(tmp_path_factory.mktemp("stricter") / "shiplift.db", arguments) as running:
        yield running


def test_a_setting_adds_names(stricter: Shipliftd, name: str) -> None:
    stricter.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo=name))
    repository = Repository(stricter, "octocat", name)
    repository.record()
    for refused in ("KUBECONFIG", "AWS_PROFILE", "AWS_", "PATH"):
        assert refusal(repository.promote, 1, params={refused: "x"}) == invalid(
            (f"params['{refused}']", REFUSED)
        )
    taken = {"KUBECONFIG_": "", "kubeconfig": "", "AWS": "", "MY_AWS_X": ""}
    assert dict(repository.promote(1, params=taken).params) == taken


def test_the_variable_adds_names_like_the_flag(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    database = tmp_path_factory.mktemp("variable") / "shiplift.db"
    with Shipliftd(database, environment={"SHIPLIFTD_REFUSE_PARAM": "KUBECONFIG AWS_*"}) as server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo=name))
        repository = Repository(server, "octocat", name)
        repository.record()
        told = refusal(repository.promote, 1, params={"KUBECONFIG": "x", "AWS_X": "x", "A": "x"})
        assert sorted(told_names(told)) == ["AWS_X", "KUBECONFIG"]


def test_values_stand_in_no_error(repository: Repository) -> None:
    repository.record(params={"TOKEN": "hunter2-recorded"})
    bad = {"PATH": "hunter2-a", "1": "hunter2-b", "A": "hunter2-c\0", "B": "hunter2-d" + "x" * 32 * KIB}
    told = refusal(repository.promote, 1, params=bad)
    assert len(told.violations) == 4
    assert "hunter2" not in repr(told)


def test_a_name_refused_by_now_is_not_inherited(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
        Repository(server, "octocat", "app").record(params={"DEPLOY_KEY": "x", "REGION": "eu"})
    with Shipliftd(database, ("--refuse-param", "DEPLOY_*")) as server:
        repository = Repository(server, "octocat", "app")
        fault = (
            "build 1 has it, and this name is refused by now: drop it (drop_params), or record the build"
            " without it"
        )
        for params in ({}, {"REGION": "us"}):
            told = refusal(repository.promote, 1, params=params)
            assert told == invalid(("params['DEPLOY_KEY']", fault))
        assert dict(repository.promote(1, drop_params=["DEPLOY_KEY"]).params) == {"REGION": "eu"}


def test_inherited_parameters_are_dropped(repository: Repository) -> None:
    repository.record(params={"A": "1", "B": "2", "C": "3"}, status=pb.BUILD_STATUS_SUCCESS)
    assert dict(repository.promote(1, drop_params=["A", "A"]).params) == {"B": "2", "C": "3"}
    assert dict(repository.promote(2, drop_params=["B"], params={"D": "4"}).params) == {"C": "3", "D": "4"}
    assert dict(repository.promote(1, drop_params=["A", "B", "C"]).params) == {}
    # Nothing is dropped from what they come from.
    assert dict(repository.get(1).params) == {"A": "1", "B": "2", "C": "3"}
    retry = pb.RetryBuildRequest(
        owner=repository.owner, repo=repository.name, build=1, drop_params=["C"], params={"A": "9"}
    )
    assert dict(repository.builds.RetryBuild(retry).params) == {"A": "9", "B": "2"}


def test_what_cannot_be_dropped_is_refused(repository: Repository) -> None:
    repository.record(params={"B": "hunter2", "A": "hunter2"})
    repository.record()
    repository.record(params={f"N{n:02}": "" for n in range(23)})
    assert refusal(repository.promote, 1, drop_params=["C", "a", "A"], params={"A": "1"}) == invalid(
        ("drop_params", "'C' is not inherited: build 1 has A, B"),
        ("drop_params", "'a' is not inherited: build 1 has A, B"),
        ("drop_params", "'A' is given in params as well: do one of both"),
    )
    assert refusal(repository.promote, 2, drop_params=["A"]) == invalid(
        ("drop_params", "'A' is not inherited: build 2 has no parameters")
    )
    some = ", ".join(f"N{n:02}" for n in range(20))
    assert refusal(repository.promote, 3, drop_params=[""]) == invalid(
        ("drop_params", f"'' is not inherited: build 3 has {some} and 3 more")
    )
    assert ("drop_params", "101 of them: at most 100") in refusal(
        repository.promote, 1, drop_params=["A"] * 101
    ).violations
    assert repository.numbers() == [3, 2, 1]


def test_dropping_makes_room(repository: Repository) -> None:
    repository.record(params={f"A{n}": "" for n in range(100)})
    assert len(repository.promote(1, drop_params=["A0"], params={"B": ""}).params) == 100


@pytest.mark.parametrize("pattern", ["", "1A", "A-B", "*", "A*B", "A+"])
def test_what_is_no_name_cannot_be_refused(pattern: str) -> None:
    with pytest.raises(Precondition) as refused:
        ParameterRules([pattern])
    assert str(refused.value) == (
        f"--refuse-param {pattern!r} is not a parameter's name: wanted letters, digits, '_',"
        " no digit first, and a '*' at the end for any ending"
    )
