"""`${VAR}` in commands: real shells run what is made of them, and no value is code."""

import re
import shutil
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.errors import Invalid
from shipliftd.pipelines.commands import POSIX, POWERSHELL, Commands, Shell, shell_of
from shipliftd.pipelines.substitution import Substitution

from tests.support.hostile import COMMANDS, PWNED, VALUES

MIB = 1024 * 1024
VARIABLES = {"A": "hello", "TAG": "v1.2.3", "EMPTY": "", "DRONE_BRANCH": "main", "CI": "true"}
SHELLS = [name for name in ("sh", "dash", "bash", "ksh", "zsh", "busybox") if shutil.which(name)]


def made(text: str, shell: Shell = POSIX, taken: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
    """A command, and the variables that it needs."""
    command = Commands(Substitution(VARIABLES, MIB), shell, taken)
    return command(text), command.made


@pytest.mark.parametrize(
    ("text", "expected", "variables"),
    [
        ("echo hello $A $(id) `id`", "echo hello $A $(id) `id`", {}),
        ("echo ${A} \"${A}\" '${A}'", "echo ${A} \"${A}\" '${A}'", {}),
        ("echo ${DRONE_BRANCH} ${CI}", "echo ${DRONE_BRANCH} ${CI}", {}),
        # Of these the server does not know what they will be.
        (
            "${DRONE_STEP_NAME} ${DRONE_NEW} ${SHIPLIFT_X}",
            "${DRONE_STEP_NAME} ${DRONE_NEW} ${SHIPLIFT_X}",
            {},
        ),
        ("${DRONE_FAILED_STEPS:-none}", "${DRONE_FAILED_STEPS:-none}", {}),
        (
            "${DRONE_FAILED_STEPS:-${A:0:1}}",
            "${DRONE_FAILED_STEPS:-${SHIPLIFT_A_1}}",
            {"SHIPLIFT_A_1": "h"},
        ),
        # Operators.
        ("echo ${TAG##v}!", "echo ${SHIPLIFT_TAG_1}!", {"SHIPLIFT_TAG_1": "1.2.3"}),
        (
            "${TAG#v} ${TAG##v} ${A^^} ${#A}",
            "${SHIPLIFT_TAG_1} ${SHIPLIFT_TAG_1} ${SHIPLIFT_A_2} ${SHIPLIFT_A_3}",
            {"SHIPLIFT_TAG_1": "1.2.3", "SHIPLIFT_A_2": "HELLO", "SHIPLIFT_A_3": "5"},
        ),
        ("${A/l/${TAG}}", "${SHIPLIFT_A_1}", {"SHIPLIFT_A_1": "hev1.2.3lo"}),
        ("${EMPTY^^}", "${SHIPLIFT_EMPTY_1}", {"SHIPLIFT_EMPTY_1": ""}),
        # A default is the file's own text, as in Drone.
        ("${A:-x} ${A=x} ${A:=x}", "${A} ${A} ${A}", {}),
        ('${EMPTY:-x} ${NONE=$HOME/x} ${NONE:-"a b"}', 'x $HOME/x "a b"', {}),
        ("${NONE:-${EMPTY:-${TAG:1}}}", "${SHIPLIFT_TAG_1}", {"SHIPLIFT_TAG_1": "1.2.3"}),
        # As in Drone nothing is put in for what nobody knows.
        ("<${NONE}> <${NONE^^}> <${#NONE}> <${NONE/a/${A}}>", "<> <> <0> <>", {}),
        # Escapes, and what is the shell's.
        ("$${A} $$ $$A", "${A} $ $A", {}),
        ("$$${A} $$$$${A} \\$${A}", "\\$${A} $$${A} \\${A}", {}),
        ("$$$${A}", "$${A}", {}),
        ("${A-x} ${A+x} ${A[0]} ${!A} ${1} ${A", "${A-x} ${A+x} ${A[0]} ${!A} ${1} ${A", {}),
    ],
)
def test_commands(text: str, expected: str, variables: Mapping[str, str]) -> None:
    assert made(text) == (expected, variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('echo ${A} "${A}" $env:A', 'echo ${env:A} "${env:A}" $env:A'),
        ("${TAG##v}", "${env:SHIPLIFT_TAG_1}"),
        ("${EMPTY:-x} ${DRONE_FAILED_STEPS:-none} ${NONE}", "x none "),
        ("${DRONE_FAILED_STEPS}", "${env:DRONE_FAILED_STEPS}"),
        ("$$${A} $${A}", "`$${env:A} ${A}"),
    ],
)
def test_powershell(text: str, expected: str) -> None:
    assert made(text, POWERSHELL)[0] == expected


@pytest.mark.parametrize(
    ("system", "program", "shell"),
    [
        ("linux", "", POSIX),
        ("windows", "", POWERSHELL),
        ("windows", "bash", POSIX),
        ("linux", "/usr/bin/pwsh -NoLogo", POWERSHELL),
        ("windows", "C:\\Windows\\PowerShell.exe", POWERSHELL),
        # Of what it is nobody knows, so no value is put in there either.
        ("linux", "/opt/odd", POSIX),
    ],
)
def test_which_shell_reads_a_command(system: str, program: str, shell: Shell) -> None:
    assert shell_of(system, program) == shell


def test_a_variable_that_is_made_takes_nobodys_name() -> None:
    taken = ("SHIPLIFT_A_1", "SHIPLIFT_A_2")
    assert made("${A:1}", taken=taken) == ("${SHIPLIFT_A_3}", {"SHIPLIFT_A_3": "ello"})


def test_a_variable_that_no_environment_holds_is_refused() -> None:
    command = Commands(Substitution({"A": "a" * 1000}, MIB), POSIX, ())
    with pytest.raises(Invalid) as told:
        command("${A//a/" + "x" * 130 + "}")
    words = "a '${A...}' in a command comes to 130000 bytes: at most 122880"
    assert told.value.violations == [("pipeline", words)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", COMMANDS)
def test_no_value_is_code_in_any_shell(shell: str, text: str) -> None:
    program = ["busybox", "sh"] if shell == "busybox" else [shell]
    for name, value in VALUES.items():
        command = Commands(Substitution({"P": value}, MIB), POSIX, ())
        script = command(text)
        assert PWNED not in script
        environment = {"PATH": "/usr/bin:/bin", "P": value, **command.made}
        done = subprocess.run(
            [*program, "-c", script], env=environment, stdout=subprocess.PIPE, timeout=20, check=False
        )
        expected = COMMANDS[text](value)
        if expected is not None:
            assert (name, done.stdout.decode()) == (name, f"<{expected}>")


pieces = st.sampled_from(
    [*"${}#%/^,:-=*?[]\\\"'ax09 \n", "${", "$$", "${A", "${A}", "${A:-", "${E:-", "//"]
)


@given(st.lists(pieces, max_size=30).map("".join))
@settings(max_examples=1000, deadline=None)
def test_no_value_stands_in_any_command(text: str) -> None:
    # Of characters that no file has.
    value = "\u2603\u2604\u2605"
    command = Commands(Substitution({"A": value, "E": ""}, MIB), POSIX, ())
    assert not re.search("[\u2603-\u2605]", command(text))
