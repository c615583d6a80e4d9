"""How each shell asks what to offer, and is told: what Typer lacks for words that a shell takes apart."""

import os

from typer._click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    split_arg_string,
)
from typer._completion_classes import BashComplete, FishComplete, ZshComplete
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # Typer has it for itself

# Typer's joins COMP_WORDS, where `--server host:1` is five words: readline parts them at `:`, `=` and `@`.
_BASH = """\
_shiplift_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env _SHIPLIFT_LINE="${COMP_LINE:0:COMP_POINT}" \\
                   _SHIPLIFT_REPLACED="$2" \\
                   %s=complete_bash "$1" ) )
    return 0
}

complete -o default -F _shiplift_completion shiplift"""


def script(shell: str, variable: str) -> str:
    """What a shell reads to complete our commands; it asks with this variable in the environment."""
    if shell == "bash":
        return _BASH % variable
    made: str = get_completion_script(prog_name="shiplift", complete_var=variable, shell=shell)
    return made


def answer_shells() -> None:
    """Has a run of the command answer the shells whose scripts ask."""
    for shell, kind in (("bash", _Bash), ("zsh", _Zsh), ("fish", _Fish)):
        add_completion_class(kind, shell)


class _WholeWords(ShellComplete):
    """Offers the value in `--option=value` with the option before it, as the shells have the word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}"
        return found


class _Bash(_WholeWords, BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["_SHIPLIFT_LINE"]
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        return words, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        # Readline replaces what is behind the last place where it parts the word; the rest stays.
        stays = incomplete.removesuffix(os.environ["_SHIPLIFT_REPLACED"])
        for item in found:
            item.value = item.value.removeprefix(stays)
        return found


class _Zsh(_WholeWords, ZshComplete):
    def format_completion(self, item: CompletionItem) -> str:
        # Typer doubles an apostrophe, which zsh drops: this one stays within its quotes.
        return super().format_completion(item).replace("''", r"'\''")

    def complete(self) -> str:
        said = super().complete()
        # Files behind `--option=`, too.
        return "compset -P '--*='; _files" if said == "_files" else said


class _Fish(_WholeWords, FishComplete):
    def format_completion(self, item: CompletionItem) -> str:
        # Typer has Rich wrap the help at the terminal's width, and fish would offer each line of it.
        return f"{item.value}\t{' '.join(item.help.split())}" if item.help else item.value
