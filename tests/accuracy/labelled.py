"""Hand-labelled manifests of public projects → precision and recall of what `cheops relations` prints.

The labels name objects and all of their edges, so an edge that is found and not labelled is a false one. The namespace
and the definition that hold an object are left out on both sides: they hold for every object alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.documents import Document, parse_value, read_documents
from schemas.relations.edges import records, unconfirmed
from schemas.relations.extract import Extractor
from schemas.relations.surface import builtin_surface, surface_with_crds
from tests.kit.extractors import extractor_for

LABELS: Final = Path(__file__).parent / "labels"
INSIDE: Final = "containment"


@dataclass
class Labelled:
    """The counts of one corpus. Edges are `object → edge`."""

    corpus: str
    right: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Right of all that was found."""
        return len(self.right) / max(1, len(self.right) + len(self.false))

    @property
    def recall(self) -> float:
        """Right of all that is labelled."""
        return len(self.right) / max(1, len(self.right) + len(self.missed))


def measure_labels(corpora: Path) -> Iterator[Labelled]:
    """Each label file against its corpus."""
    for file in sorted(LABELS.glob("*.yaml")):
        labels = parse_value(file.read_bytes(), file.name)
        folder = corpora / labels["corpus"]
        found = _found(read_documents(folder), folder)
        result = Labelled(labels["corpus"])
        for name, edges in labels["objects"].items():
            wanted, mine = set(edges), found[name]
            result.right += [f"{name} → {edge}" for edge in sorted(wanted & mine)]
            result.missed += [f"{name} → {edge}" for edge in sorted(wanted - mine)]
            result.false += [f"{name} → {edge}" for edge in sorted(mine - wanted)]
        yield result


def service_links(corpora: Path) -> set[tuple[str, str]]:
    """(source, Service) of every inferred edge of online-boutique."""
    return {
        (row["source"], row["target"])
        for row in _records(read_documents(corpora / "online-boutique"))
        if row["confidence"] == "inferred"
    }


def _found(documents: list[Document], folder: Path) -> dict[str, set[str]]:
    """Edges by object, and by file and object (several files may hold one of the same name)."""
    extractor = _extractor(documents)
    states = [extractor.state(one.body) for one in documents]
    # Two objects of one name are told apart by reading each beside the whole.
    found: dict[str, set[str]] = {}
    printed = {(row["source"], row["path"], row["target"]) for row in records(states)}
    for document, state in zip(documents, states, strict=True):
        shown = [row for row in unconfirmed(state) if (row["source"], row["path"], row["target"]) in printed]
        edges = {_edge(row) for row in shown if row["relation"] != INSIDE}
        file = Path(document.file).relative_to(folder)
        for name in (state.resource, f"{file} {state.resource}"):
            found.setdefault(name, set()).update(edges)
    return found


def _records(documents: list[Document]) -> list[dict[str, Any]]:
    extractor = _extractor(documents)
    return list(records([extractor.state(one.body) for one in documents]))


def _extractor(documents: list[Document]) -> Extractor:
    definitions = [one.body for one in documents if one.body["kind"] == "CustomResourceDefinition"]
    return extractor_for(surface_with_crds(builtin_surface(), definitions))


def _edge(row: dict[str, Any]) -> str:
    granule = f" {row['granule']}" if row["granule"] else ""
    return f"{row['target'] or _selector(row['selector'])}{granule}"


def _selector(selector: dict[str, Any]) -> str:
    labels = [f"{key}={value}" for key, value in sorted(selector["matchLabels"].items())]
    labels += [" ".join((one["key"], one["operator"], *one["values"])) for one in selector["matchExpressions"]]
    kind = selector["kind"]
    if kind in ("Node", "Namespace"):
        where = ""
    elif "namespaceSelector" in selector:
        where = f"@{selector['namespaceSelector']}"
    else:
        where = "@" + ",".join(selector.get("namespaces", [selector.get("namespace", "*")]))
    return f"{kind}[{','.join(labels)}]{where}"
