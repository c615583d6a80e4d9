"""The project's pages, and the snippets in them."""

import re

from tests.support.toolchains import ROOT


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text()


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a language on a page, in their order."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)
    return found


def block(name: str, language: str, word: str = "") -> str:
    """The one block of a language on a page with the word in it."""
    (found,) = [text for text in blocks(name, language) if word in text]
    return found
