"""The `shiplift` command's entry."""

import os
import sys


def main() -> None:
    """Runs the command; ends the process with its exit code."""
    # gRPC's own lines would stand among ours; what matters of them is in the errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's character set lacks is no reason to fail.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # always a text file here
    try:
        from shiplift.cli.app import COMPLETE_VARIABLE, app

        if COMPLETE_VARIABLE in os.environ:
            from shiplift.cli.shells import answer_shells

            answer_shells()
        app(prog_name="shiplift")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
