"""One rule file, or a text that something else holds → its document, checked. Errors name file, line and reason.

A file holds rules, and after `---` their examples (examples.py), which are read only when somebody runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.documents import FILE_BYTES_MAX, Document, DocumentError, parse
from schemas.envelope import describe
from schemas.relations.kind_facts import KindFacts
from schemas.relations.rule import Entry, Mount

_SEPARATOR: Final = b"\n---\n"
_Model = TypeVar("_Model", bound=BaseModel)


class RuleError(ValueError):
    """A rule file that cannot be used; names file, line and reason. `text`: when it is none of its own."""

    def __init__(self, file: str, line: int, reason: str, text: RuleText | None = None) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file, self.line, self.reason, self.text = file, line, reason, text


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule file that something else holds: line `line` of what is called `name` is its first.

    key      what it is called there, said before each reason
    folded   its lines are not those of `name`: all of it is in that one
    strict   whoever wrote it may not have values told (loader.py)
    """

    name: str
    text: str
    line: int = 1
    key: str = ""
    folded: bool = False
    strict: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.key}".rstrip()


Source = Path | RuleText


class RuleFile(BaseModel):
    """One file: fragments (named rule sets), mounts of rules and fragments, facts of kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str
    fragments: dict[str, tuple[Entry, ...]] = {}
    mounts: tuple[Mount, ...] = ()
    kinds: tuple[KindFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read."""

    source: Source
    document: Document
    content: RuleFile

    def error(self, where: Sequence[str | int], reason: str) -> RuleError:
        """What is wrong at a place in it."""
        return refusal(self.source, self.document.line_of(where), reason)


def read_part(source: Source, place: int, model: type[_Model]) -> tuple[Document, _Model] | None:
    """Document `place` of a rule file (0: the rules, 1: the examples), checked; None when it has none."""
    parts = _bytes(source).split(_SEPARATOR)
    first = 1 if isinstance(source, Path) else source.line
    if len(parts) > 2:
        line = _SEPARATOR.join(parts[:2]).count(b"\n") + 1 + first
        raise refusal(source, line, "a third document (expected rules, then ---, then their examples)")
    if place >= len(parts):
        return None
    before = first - 1 + (_SEPARATOR.join(parts[:place]).count(b"\n") + 2 if place else 0)
    try:
        documents = parse(b"\n" * before + parts[place], str(source))
    except DocumentError as error:
        raise refusal(source, max(error.line, 1), error.reason) from error
    if len(documents) != 1:
        raise refusal(source, before + 1, "nothing in it (expected a mapping with `area`)")
    document = documents[0]
    try:
        return document, model.model_validate(document.body)
    except ValidationError as error:
        raise refusal(source, _line(document, error), describe(error, limit=1)) from error


def _bytes(source: Source) -> bytes:
    if isinstance(source, RuleText):
        return source.text.encode("utf-8", "replace")
    try:
        with source.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise RuleError(str(source), 1, f"cannot be read ({error.strerror})") from error


def refusal(source: Source, line: int, reason: str) -> RuleError:
    """What is wrong with a file, or with what holds a text."""
    if isinstance(source, Path):
        return RuleError(str(source), line, reason)
    place = f"{source.key}, its line {line - source.line + 1}" if source.folded else source.key
    return RuleError(source.name, source.line if source.folded else line, f"{place}: {reason}", source)


def read(source: Source) -> ReadFile:
    """Its rules. Raises RuleError."""
    found = read_part(source, 0, RuleFile)
    assert found is not None, "a file has a first part"
    return ReadFile(source, *found)


def _line(document: Document, error: ValidationError) -> int:
    return document.line_of([step for step in error.errors()[0]["loc"] if step not in ("rule", "use")])
