"""The Shiplift daemon: a gRPC server that records and promotes builds."""

import os
from importlib.metadata import version

# gRPC's own lines on stderr would break the log's form; it looks here when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = version("shiplift")
