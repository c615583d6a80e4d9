"""How the help of a command is laid out: its own options, then the global ones, then examples."""

from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command as Page
    from typer._click import Context, HelpFormatter
    from typer._click.core import Parameter

    Row = tuple[str, str]

GLOBAL = "Global options"


class Command(TyperCommand):
    """A command whose epilog is its examples, a line each."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Called with the words of the command line."""
        return super().parse_args(ctx, _with_empty_json(args))

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes its arguments and options, and those that every command has."""
        own, shared = _options(self, ctx)
        _write(formatter, "Arguments", [each for each in self.get_params(ctx) if _is_argument(each)], ctx)
        _write(formatter, "Options", own, ctx)
        _write(formatter, GLOBAL, shared, ctx)

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes its examples."""
        _write_examples(self, formatter)


class Group(TyperGroup):
    """A group of commands; it takes the global options before its command's name."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Called with the words of the command line."""
        return super().parse_args(ctx, _with_empty_json(args))

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes its options, its commands, and the options that every command has."""
        own, shared = _options(self, ctx)
        _write(formatter, "Options", own, ctx)
        self.format_commands(ctx, formatter)
        _write(formatter, GLOBAL, shared, ctx)

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes its examples."""
        _write_examples(self, formatter)


def _with_empty_json(args: list[str]) -> list[str]:
    """The words, where the value of `--json` stands behind `=` alone: Typer has no such option."""
    end = args.index("--") if "--" in args else len(args)
    return ["--json=" if each == "--json" else each for each in args[:end]] + args[end:]


def _is_argument(parameter: "Parameter") -> bool:
    return parameter.param_type_name == "argument"


def _options(page: "Page", ctx: "Context") -> "tuple[list[Parameter], list[Parameter]]":
    """A command's own options, and the global ones."""
    options = [each for each in page.get_params(ctx) if not _is_argument(each)]
    shared = [each for each in options if getattr(each, "rich_help_panel", None) == GLOBAL]
    return [each for each in options if each not in shared], shared


def _write(formatter: "HelpFormatter", title: str, parameters: "list[Parameter]", ctx: "Context") -> None:
    rows = [row for each in parameters if (row := each.get_help_record(ctx))]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def _write_examples(page: "Page", formatter: "HelpFormatter") -> None:
    if page.epilog:
        with formatter.section("Examples"):
            # Not wrapped: they are to be copied.
            formatter.write(
                "".join(f"{'':>{formatter.current_indent}}{x}\n" for x in page.epilog.split("\n"))
            )
