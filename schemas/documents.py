"""Text → manifests: YAML or JSON, files, folders, standard input; each document knows its file and line.

Read as Kubernetes' own tools read: JSON values in YAML clothes (scalars.py). A duplicate key is an error, and `List`
objects are taken apart. Sizes, depth and aliases are bounded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from schemas.folders import manifests_below
from schemas.json_objects import json_objects
from schemas.scalars import MERGE, key, teach

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
ALIASES_MAX: Final = 1_000
DEPTH_MAX: Final = 100
LARGE_LEN: Final = 1024 * 1024  # from here on JSON is read as JSON: below, the lines of fields are worth more
_WORDS: Final[dict[type, str]] = {str: "text", list: "a list", dict: "a mapping", bool: "true or false"}
STDIN: Final = Path("-")
_REMOTE: Final = (("http:",), ("https:",))
KUSTOMIZE: Final = "kustomize.config.k8s.io/"

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """Text that cannot be read; names file, line and reason."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file, self.line, self.reason = file, line, reason

    @classmethod
    def of(cls, error: OSError, path: Path) -> DocumentError:
        """What the system says of a path, or of one below it."""
        return cls(str(error.filename or path), 0, f"cannot be read ({error.strerror})")


class _Loader(_Base):  # type: ignore[misc,valid-type]  # the C loader when libyaml is there
    """Reads unquoted words as kubectl does (scalars.py)."""


teach(_Loader)


@dataclass(frozen=True, slots=True)
class Document:
    """One object with its place. `line` counts from 1."""

    file: str
    line: int
    body: dict[str, Any]
    node: Any = field(default=None, compare=False, repr=False)

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of a field, or of the nearest one above it that is there."""
        node, line = self.node, self.line
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            node, line = child
        return line

    def text_line(self, path: Sequence[str | int]) -> int | None:
        """The line in which a text begins whose lines are those of the file (`|`); None for any other value."""
        node = self.node
        for step in path:
            found = _child(node, step)
            if found is None:
                return None
            node = found[0]
        return node.start_mark.line + 2 if getattr(node, "style", None) == "|" else None

    def check_object(self) -> None:
        """Raise DocumentError when it is not a named Kubernetes object."""
        for field_name in ("apiVersion", "kind"):
            if self.body.get(field_name) in (None, ""):
                raise self._bad((field_name,), "missing (expected text)")
            if not isinstance(self.body[field_name], str):
                raise self._bad((field_name,), f"{self.body[field_name]!r:.40} is not text (quote it)")
        if self.body["apiVersion"].count("/") > 1:
            raise self._bad(("apiVersion",), f"{self.body['apiVersion']!r:.80} (expected VERSION or GROUP/VERSION)")
        if self.body["kind"] == "List" and "metadata" not in self.body:
            raise self._bad(("items",), f"{_named(self.body.get('items'))} (expected a list of objects)")
        metadata = self.body.get("metadata")
        if not isinstance(metadata, Mapping):
            raise self._bad(("metadata",), f"{_named(metadata)} (expected a mapping)")
        name = metadata.get("name")
        name = metadata.get("generateName") if name in (None, "") else name
        if not isinstance(name, str):
            found = "missing (expected text)" if name is None else f"{name!r} is not text (quote it)"
            raise self._bad(("metadata", "name"), found)

    def _bad(self, path: tuple[str, ...], reason: str) -> DocumentError:
        return DocumentError(self.file, self.line_of(path), f"{'.'.join(path)}: {reason}")


def _named(value: object) -> str:
    """What stands where something else is expected."""
    return "missing" if value is None else _WORDS.get(type(value), "a number")


def read_documents(path: Path) -> list[Document]:
    """Every object of a file, of the manifests of a folder (sorted, recursive), or of standard input (`-`).

    A `kustomization.yaml` in a folder is for the tool that reads it, and no object of a cluster.
    """
    if path == STDIN:
        return parse(sys.stdin.buffer.read(FILE_BYTES_MAX + 1), "standard input")
    if path.parts[:1] in _REMOTE:
        raise DocumentError(str(path), 0, "an address is not fetched (curl -L it, and read that with -f -)")
    if is_folder(path):
        return objects_in(document for file in manifest_files(path) for document in read_documents(file))
    try:
        with path.open("rb") as source:
            raw = source.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise DocumentError.of(error, path) from error
    return parse(raw, str(path))


def is_folder(path: Path) -> bool:
    """Raises DocumentError where that cannot be told: the folder above it is closed, the name is too long."""
    try:
        return path.is_dir()
    except OSError as error:
        raise DocumentError.of(error, path) from error


def manifest_files(folder: Path) -> list[Path]:
    """The manifests in a folder (folders.py). Raises DocumentError for a folder in it that cannot be read."""
    try:
        return manifests_below(folder)
    except OSError as error:
        raise DocumentError.of(error, folder) from error


def objects_in(folder: Iterable[Document]) -> list[Document]:
    """The documents of a folder without its kustomizations."""
    return [one for one in folder if not str(one.body.get("apiVersion")).startswith(KUSTOMIZE)]


def parse(raw: bytes, file: str) -> list[Document]:
    """Bytes → objects; empty documents are left out, `List` objects taken apart."""
    if len(raw) > FILE_BYTES_MAX:
        raise DocumentError(file, 0, f"larger than {FILE_BYTES_MAX // 1024**2} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DocumentError(file, line, "not text (expected YAML or JSON in UTF-8)") from error
    if "\0" in text:
        raise DocumentError(file, text.count("\n", 0, text.index("\0")) + 1, "not text (it holds a NUL byte)")
    try:
        return [one for body in _as_json(text, file) or _bodies(text, file) for one in _flat(body)]
    except yaml.reader.ReaderError as error:  # what libyaml calls a position is one in UTF-8
        line = raw.count(b"\n", 0, error.position) + 1
        raise DocumentError(file, line, f"not text (it holds the character #x{error.character:04x})") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(file, mark.line + 1 if mark else 0, _reason(error, text)) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(file, 0, f"not YAML: {error}") from error


def _as_json(text: str, file: str) -> list[Document]:
    """A large JSON text, read much faster than as YAML and without the lines of its fields; or several in a row.

    Nothing when it is none or has a fault: then reading it as YAML says what and where.
    """
    if not text.lstrip().startswith("{"):
        return []
    try:
        found = [Document(file, line, body) for line, body in json_objects(text, DEPTH_MAX)]
    except (ValueError, RecursionError):
        return []
    return found if len(text) >= LARGE_LEN or len(found) > 1 else []


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """libyaml's words, where the thing began, and the usual suspect."""
    problem, began = error.problem_mark, error.context_mark
    reason = str(error.problem or error.context)
    if error.context and began and problem and began.line != problem.line:
        reason += f", {error.context} that begins at line {began.line + 1}"
    lines = text.splitlines()
    if problem and problem.line < len(lines) and "\t" in lines[problem.line]:
        reason += " (a tab? YAML indents with spaces)"
    return reason


def _bodies(text: str, file: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            body = _Builder(loader, file).build(node, 0)
            line = node.start_mark.line + 1
            if body is None:
                continue
            if not isinstance(body, dict):
                raise DocumentError(file, line, f"{_named(body)} (expected a Kubernetes object, a mapping)")
            yield Document(file, line, body, node)
    finally:
        loader.dispose()


class _Builder:
    """Nodes → plain values, with duplicate keys, depth and aliases under control."""

    def __init__(self, loader: Any, file: str) -> None:
        self._loader, self._file = loader, file
        self._met: set[int] = set()
        self._again = 0

    def build(self, node: Any, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise DocumentError(self._file, node.start_mark.line + 1, f"nested deeper than {DEPTH_MAX}")
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        again = id(node) in self._met
        if again:
            self._again += 1
            if self._again > ALIASES_MAX:
                raise DocumentError(self._file, node.start_mark.line + 1, f"more than {ALIASES_MAX} aliases")
        self._met.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(one, depth + 1) for one in node.value]
        if not again:
            self._unmerge(node)
        return {self._key(name): self.build(value, depth + 1) for name, value in node.value}

    def _unmerge(self, node: Any) -> None:
        """Own keys stand once; `<<: *anchor` puts merged fields before them, so that own ones replace merged ones."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            name = self._key(key_node)
            if name in seen:
                raise DocumentError(self._file, key_node.start_mark.line + 1, f"key {name!r} stands twice")
            seen.add(name)
        self._loader.flatten_mapping(node)

    def _key(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise DocumentError(self._file, node.start_mark.line + 1, "a key that is not text")
        name = key(node)
        if name is None:
            raise DocumentError(self._file, node.start_mark.line + 1, "a key that is nothing (quote it)")
        return name


def _flat(document: Document) -> Iterator[Document]:
    """`kind: List` (and `…List` of a list call, whose items leave out what they are) → its items."""
    body = document.body
    kind, items = body.get("kind"), body.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield document
        return
    nodes = _child(document.node, "items") if document.node is not None else None
    for place, item in enumerate(items):
        found = _child(nodes[0], place) if nodes else None
        node, line = found or (None, document.line)
        if not isinstance(item, dict):
            raise DocumentError(document.file, line, f"items[{place}]: expected a Kubernetes object")
        implied = {} if kind == "List" else {"apiVersion": body.get("apiVersion"), "kind": kind.removesuffix("List")}
        yield from _flat(Document(document.file, line, {**implied, **item}, node))


def _child(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == step:
                return value, name.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None


def parse_value(raw: bytes, file: str) -> Any:
    """One YAML value of any form (data files of ours)."""
    loader = _Loader(raw.decode())
    try:
        return _Builder(loader, file).build(loader.get_single_node(), 0)
    finally:
        loader.dispose()
