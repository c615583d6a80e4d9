"""A pipeline file: its documents, what they say, which of it runs for a build, and the plan of a stage.

Pure: it reads no store and knows no caller, and every room may import it. Start reading in
`parsing.py`, which makes `Pipelines` (`said.py`) of a text.
"""

from shipliftd.pipelines.parsing import MOST_LABEL, MOST_LABELS, MOST_NAME, MOST_PATTERNS, parse
from shipliftd.pipelines.said import STEPPED, Pipeline, Pipelines, Secret, Step, cannot_run
from shipliftd.pipelines.stored import dump, load

__all__ = [
    "MOST_LABEL",
    "MOST_LABELS",
    "MOST_NAME",
    "MOST_PATTERNS",
    "STEPPED",
    "Pipeline",
    "Pipelines",
    "Secret",
    "Step",
    "cannot_run",
    "dump",
    "load",
    "parse",
]
