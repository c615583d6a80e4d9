"""The command's entry: says in a line what is missing where the command `shiplift` alone was installed."""

import sys


def main() -> None:
    """Runs the command; ends the process with its exit code."""
    try:
        from shipliftd.command import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("shiplift", "shipliftd"):
            raise
        missing = error.name.partition(".")[0]
        sys.stderr.write(
            f"shipliftd needs the server's libraries ({missing} is missing):"
            " pip install 'shiplift[server]'\n"
        )
        sys.exit(1)
    run()


if __name__ == "__main__":
    main()
