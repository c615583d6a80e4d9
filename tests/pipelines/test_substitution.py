"""`${VAR}` in the texts of pipeline files."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.errors import Invalid
from shipliftd.pipelines.substitution import Substitution

MIB = 1024 * 1024
VARIABLES = {
    "A": "hello",
    "U": "Hello World",
    "REF": "refs/heads/feature/x",
    "TAG": "v1.2.3",
    "WIDE": "Zürich 🚢",
    "EMPTY": "",
    "SELF": "${A} $$ $A",
    "a_1": "small",
}


def put_into(text: str, most: int = MIB) -> str:
    return Substitution(VARIABLES, most)(text)


# As Drone's own library has it (seen), but for `#*`, `/%x/`, `/#x/` and `/x`, which are bash's here.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("x${A}y${A}", "xhelloyhello"),
        ("${a_1}", "small"),
        ("${UNKNOWN}", ""),
        ("${EMPTY}", ""),
        # What is put in is not looked at again.
        ("${SELF}", "${A} $$ $A"),
        ("${UNKNOWN:-${SELF}}", "${A} $$ $A"),
        ("${A/hello/${SELF}}", "${A} $$ $A"),
        # Escapes, and what is the shell's.
        ("$${A}", "${A}"),
        ("$$", "$"),
        ("$$A", "$A"),
        ("$$$", "$$"),
        ("$$${A}", "$hello"),
        ("$A $1 $? $(date) `id` $", "$A $1 $? $(date) `id` $"),
        ("awk '{print $1}' <<< \"${A}\"", "awk '{print $1}' <<< \"hello\""),
        # Case and length.
        ("${A^} ${A^^}", "Hello HELLO"),
        ("${U,} ${U,,}", "hello World hello world"),
        ("${EMPTY^}${EMPTY,,}", ""),
        ("${#A} ${#WIDE} ${#UNKNOWN}", "5 8 0"),
        # Parts.
        ("${A:1}", "ello"),
        ("${A:1:2}", "el"),
        ("${A:0:99}", "hello"),
        ("${A:9}", ""),
        ("${A:9:1}", ""),
        ("${WIDE:1:1}", "ü"),
        # Defaults.
        ("${A:-x} ${A=x} ${A:=x}", "hello hello hello"),
        ("${UNKNOWN:-x} ${UNKNOWN=x} ${UNKNOWN:=x}", "x x x"),
        ("${EMPTY:-x} ${EMPTY=x} ${EMPTY:=x}", "x x x"),
        ("${UNKNOWN:-}", ""),
        ("${UNKNOWN:-a b/c:d\n'e'}", "a b/c:d\n'e'"),
        ("${UNKNOWN:-${EMPTY:-${A^^}}}", "HELLO"),
        # Beginnings and ends.
        ("${TAG#v} ${TAG##v}", "1.2.3 1.2.3"),
        ("${REF#*/}", "heads/feature/x"),
        ("${REF##*/}", "x"),
        ("${REF%/*}", "refs/heads/feature"),
        ("${REF%%/*}", "refs"),
        ("${TAG%.*} ${TAG%%.*}", "v1.2 v1"),
        ("${REF#refs/*/} ${REF##refs/*/}", "feature/x x"),
        ("${A#h*l} ${A##h*l} ${A%l*} ${A%%l*}", "lo o hel he"),
        ("${A##*}", ""),
        ("${A#h?} ${A#[a-h]} ${A%?}", "llo ello hell"),
        ("${A#x} ${A%x}", "hello hello"),
        (r"${A#\h}", "ello"),
        ("${A#[} ${UNKNOWN#*}", "hello "),
        ("${A#${A:0:2}}", "llo"),
        # Replacements, of texts.
        ("${REF/e/E} ${REF//e/E}", "rEfs/heads/feature/x rEfs/hEads/fEaturE/x"),
        ("${REF/#refs/R} ${REF/#heads/R}", "R/heads/feature/x refs/heads/feature/x"),
        ("${REF/%x/Y} ${REF/%refs/Y}", "refs/heads/feature/Y refs/heads/feature/x"),
        (r"${REF/\//-} ${REF//\//-}", "refs-heads/feature/x refs-heads-feature-x"),
        ("${A//l/} ${A/l} ${A///x}", "heo helo hello"),
        ("${A//l/${U}}", "heHello WorldHello Worldo"),
        ("${A/*/x}", "hello"),
        # No expressions of ours: a shell may know them.
        ("${ ${} ${A", "${ ${} ${A"),
        ("${ ${A}", "${ hello"),
        ("${A.B} ${A[0]} ${!A} ${1} ${@} ${ A} ${A }", "${A.B} ${A[0]} ${!A} ${1} ${@} ${ A} ${A }"),
        ("${A-x} ${A+x} ${A:+x} ${A:?x}", "${A-x} ${A+x} ${A:+x} ${A:?x}"),
        ("${A:x} ${A: -2} ${A:1:-1} ${A@Q}", "${A:x} ${A: -2} ${A:1:-1} ${A@Q}"),
        ("${X[${A}]}", "${X[hello]}"),
    ],
)
def test_substitution(text: str, expected: str) -> None:
    assert put_into(text) == expected


def test_texts_together_have_a_limit() -> None:
    put_in = Substitution({"A": "ü" * 10}, 100)
    assert [put_in("${A}" * 2), put_in("${A}"), put_in("x" * 40)] == ["ü" * 20, "ü" * 10, "x" * 40]
    with pytest.raises(Invalid) as told:
        put_in("x")
    assert told.value.violations == [
        ("pipeline", "its steps come to more than 100 bytes with the parameters")
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("${A}", "${A//a/${A}}", "${A//a/}", "${A//b/}", "${A:0:0}", "${A##*a*a*a*b}", "${E#${A}}"),
        *("${B#${A}}", "${A#${B}*b}", "${B%%*[a-z]}", "${E:-${E:-${A^^}}}", "${A^^}", "${#A}"),
        *("${", "${E:-", "}", "$", "$$", "${E:-}", "${A:1:0}${B/a/${A//a/}}", "${A:0:1}", "${A//b/}"),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    put_in = Substitution({"A": "a" * 32 * 1024, "B": "a" * 100, "E": ""}, MIB)
    began = time.thread_time()
    try:
        assert len(put_in((text * MIB)[:MIB])) <= MIB
    except Invalid as refused:
        told = {description for _, description in refused.violations}
    else:
        told = set()
    assert told <= {
        f"its steps come to more than {MIB} bytes with the parameters",
        "the ${...} of its steps are too much work with these parameters",
        "its steps hold more than 4000 '${...}' and '$$'",
    }
    assert time.thread_time() - began < 1


pieces = st.sampled_from([*"${}#%/^,:-=*?[]\\ax09", "${", "$$", "${A", "${A}", "${REF", ":-", "//"])


@given(st.lists(pieces, max_size=30).map("".join))
@settings(max_examples=1000, deadline=None)
def test_any_text_can_be_put_into(text: str) -> None:
    put_into(text)


@given(st.text(), st.sampled_from([str, str.upper, str.lower, len]))
def test_any_value_is_put_in_as_it_is(value: str, change: Callable[[str], object]) -> None:
    form = {str: "${V}", str.upper: "${V^^}", str.lower: "${V,,}", len: "${#V}"}[change]
    assert Substitution({"V": value}, MIB)(f"<{form}>") == f"<{change(value)}>"
