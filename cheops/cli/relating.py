"""`cheops relations -f`: manifests → states → edges, without any server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from cheops.cli.failures import BadInputError
from cheops.cli.options import Output
from cheops.cli.render.output import document, say, takes_all
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.steps import named
from cheops.offline.kustomize import all_manifests
from cheops.offline.rules import rule_sources
from schemas.documents import Document, DocumentError
from schemas.identity import IdentityError, ResourceId, ResourceKey
from schemas.relations import describe
from schemas.relations.edges import records
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface, surface_with_crds


def print_relations(filenames: list[str], output: Output, rule_files: Sequence[Path] = ()) -> None:
    """One record per reference, in the order of the manifests."""
    documents = all_manifests([Path(name) for name in filenames])
    if not documents:
        read = ", ".join("standard input" if one == "-" else one for one in filenames)
        raise BadInputError(f"{read}: no object in it (expected Kubernetes manifests)")
    rows = _rows(documents, rule_files)
    if output is Output.TEXT:
        signs = signs_for(False)
        say(line for _, mine in groupby(rows, lambda row: row["source"]) for line in _text(list(mine), signs))
    else:
        _print_rows("relation/v1", rows, output)


def print_rules(output: Output, rule_files: Sequence[Path] = ()) -> None:
    """The catalogue: one record per rule."""
    catalogue = load_catalogue(rule_sources(rule_files))
    if output is Output.TEXT:
        say(describe.describe(catalogue).splitlines())
    else:
        _print_rows("rule/v1", describe.rows(catalogue), output)


def _print_rows(schema: str, rows: list[dict[str, Any]], output: Output) -> None:
    """JSON: an object a line; each says what it is."""
    marked = [{"schema": schema, **row} for row in rows]
    if output is Output.JSON:
        say(json.dumps(row, ensure_ascii=not takes_all()) for row in marked)
    else:
        document(marked, output)


def _rows(documents: list[Document], rule_files: Sequence[Path]) -> list[dict[str, Any]]:
    for one in documents:
        one.check_object()
    definitions = [one.body for one in documents if one.body["kind"] == "CustomResourceDefinition"]
    extractor = Extractor(load_catalogue(rule_sources(rule_files)), surface_with_crds(builtin_surface(), definitions))
    for one in documents:
        _check_identity(one, extractor)
    return list(records([extractor.state(one.body) for one in documents]))


def _check_identity(document: Document, extractor: Extractor) -> None:
    try:
        ResourceKey.parse(extractor.key(document.body).id)
    except IdentityError as error:
        raise DocumentError(document.file, document.line_of(("metadata", "name")), str(error)) from error


def _text(rows: list[dict[str, Any]], signs: Signs) -> list[str]:
    return [named(ResourceId(rows[0]["source"])), *(line for row in rows for line in _lines(row, signs))]


def _lines(row: dict[str, Any], signs: Signs) -> list[str]:
    """What it refers to, and where that is written: beside it, or below it where the terminal is narrow."""
    target = named(ResourceId(row["target"])) if row["target"] else _selected(row["selector"])
    granule = f" {row['granule']}" if row["granule"] else ""
    words = [row["confidence"]] if row["confidence"] != "declared" else []
    words += [word for word in ("optional", "soft") if row[word]]
    if not row["resolved"]:
        words.append("not here" if row["target"] else "selects nothing here")
    elif row["part_resolved"] is False:
        words.append("without that part")
    if row["granted"] is False:
        words.append("not permitted")
    notes = f" [{', '.join(words)}]" if words else ""
    what = f"  {signs.arrow} {target}{granule}{notes}"
    where = f"{row['path']} ({row['relation']} {''.join(row['phases'])})"
    if not signs.width or len(what) + 3 + len(where) <= signs.width:
        return [f"{what}   {where}"]
    return [*signs.wrapped(what, " " * 6), *signs.wrapped(where, " " * 8, " " * 6)]


def _selected(selector: dict[str, Any]) -> str:
    labels = [f"{key}={value}" for key, value in selector["matchLabels"].items()]
    labels += [
        f"{one['key']} {one['operator']}" + (f" ({', '.join(one['values'])})" if one["values"] else "")
        for one in selector["matchExpressions"]
    ]
    if selector.get("default"):
        return f"the default {selector['kind']}"
    return f"{selector['kind']} where {', '.join(labels)}" if labels else f"every {selector['kind']}"
