"""`cheops relations -f`: manifests → states → edges, without any server."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from cheops.cli.failures import BadInputError
from cheops.cli.options import Output
from cheops.cli.render.output import document, say
from cheops.cli.render.steps import named
from schemas.documents import Document, read_documents
from schemas.identity import ResourceId
from schemas.relations.edges import records
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface, surface_with_crds


def print_relations(filenames: list[str], output: Output) -> None:
    """One record per reference, in the order of the manifests."""
    documents = [one for name in filenames for one in read_documents(Path(name))]
    if not documents:
        raise BadInputError(f"{', '.join(filenames)}: no object in it (expected Kubernetes manifests)")
    rows = _rows(documents)
    if output is Output.JSON:
        say(json.dumps(row, ensure_ascii=False) for row in rows)
    elif output is Output.YAML:
        document(rows, output)
    else:
        say(line for source, mine in groupby(rows, lambda row: row["source"]) for line in _text(source, list(mine)))


def _rows(documents: list[Document]) -> list[dict[str, Any]]:
    for one in documents:
        one.check_object()
    definitions = [one.body for one in documents if one.body["kind"] == "CustomResourceDefinition"]
    extractor = Extractor(load_catalogue(), surface_with_crds(builtin_surface(), definitions))
    return list(records([extractor.state(one.body) for one in documents]))


def _text(source: str, rows: list[dict[str, Any]]) -> list[str]:
    lines = [named(ResourceId(source))]
    for row in rows:
        target = named(ResourceId(row["target"])) if row["target"] else f"{row['selector']['kind']} by labels"
        granule = f" {row['granule']}" if row["granule"] else ""
        absent = "" if row["resolved"] else " [missing]" if row["part_resolved"] is None else ""
        lines.append(f"  → {target}{granule}{absent}   {row['path']} ({row['relation']} {''.join(row['phases'])})")
    return lines
