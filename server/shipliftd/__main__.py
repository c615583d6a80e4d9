"""The command's entry: says in a line what is missing where the command `shiplift` alone was installed."""

import importlib.metadata
import os
import sys

# The listener of gRPC's event engine brings threads that the loop shares its core with. Without it an echo
# had 1.19 times the rate, GetBuild 1.11, PromoteBuild 1.07: medians of ten pairs of runs of
# `python -m bench.promote --callers 64` with grpcio 1.85. Other releases may not know the word, and say so.
_WITHOUT = "-event_engine_listener"
_MEASURED = "1.85."


def _choose_grpc_engine() -> None:
    """To be called before grpc is imported. Whoever has chosen otherwise keeps that."""
    try:
        release = importlib.metadata.version("grpcio")
    except importlib.metadata.PackageNotFoundError:
        return
    if release.startswith(_MEASURED):
        os.environ.setdefault("GRPC_EXPERIMENTS", _WITHOUT)


def main() -> None:
    """Runs the command; ends the process with its exit code."""
    _choose_grpc_engine()
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
