"""What is read of an object, plainly: each rule by itself, at each of its places by itself, nothing kept. The oracle.

It shares the rules and the general reader of names with the extractor; not the tree, not the function that is made of
it, not the short readers, not the slots, and nothing that was remembered of an object before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.events import Reference
from schemas.identity import KindId, ResourceKey
from schemas.kinds import Surface
from schemas.relations.by_labels import LabelReader
from schemas.relations.by_name import NameReader
from schemas.relations.by_text import TextReader
from schemas.relations.facts import PARTS, PARTS_AT
from schemas.relations.kind_facts import KindFacts
from schemas.relations.loader import Catalogue, MountedRule
from schemas.relations.mounts import VOLUME_RULES, start_only
from schemas.relations.path import ANYWHERE, ROOT, At, Step, Where, compile_first, compile_values, suffix_of
from schemas.relations.run import Run

Reached = Iterator[tuple[At, Any]]


def references(body: Mapping[str, Any], key: ResourceKey, catalogue: Catalogue, surface: Surface) -> list[Reference]:
    """In no order that matters."""
    mine = catalogue.rules.get(key.kind_id, ())
    rules = (*mine, *catalogue.rules.get(KindId("*"), ()))
    found = [one for rule in rules for one in _found(rule, ROOT, body, (), key, body, surface)]
    if key.kind_id not in catalogue.kinds and not mine and not surface.is_built_in(key.group):
        for path, inner in _mappings(body):
            for rule in catalogue.rules.get(KindId("?"), ()):
                found += _found(rule, ANYWHERE, inner, (path,), key, body, surface)
    mounts = any(rule.rule.rule.startswith(VOLUME_RULES) for rule in rules)
    return start_only(found, body) if mounts else found


def facts(body: Mapping[str, Any], known: KindFacts, every: KindFacts) -> dict[str, Any]:
    """But for health and what recurs."""
    made: dict[str, Any] = {}
    for name, path in {**every.facts, **known.facts}.items():
        value = compile_first(path)(body)
        if isinstance(value, (str, int, float)):
            made[name] = value
        elif isinstance(value, dict):
            made.update((f"{name}.{inner}", one) for inner, one in value.items() if isinstance(one, (str, int)))
    return made


def parts(body: Mapping[str, Any], known: KindFacts) -> dict[str, tuple[str, ...]]:
    """What others can need of it."""
    made = {}
    for part, paths in known.parts.items():
        values = [value for path in paths for value in _offered(path, body)]
        rows = [str(one) for value in values for one in (value if isinstance(value, dict) else (value,))]
        if rows or part not in known.open:
            made[part] = tuple(dict.fromkeys(rows))
    return made


def _offered(path: str, body: Mapping[str, Any]) -> list[Any]:
    place, _, last = path.rpartition(".")
    if last in PARTS_AT:
        return [one for value in compile_values(place)(body) for one in PARTS_AT[last](value)]
    return [*(PARTS.get(path) or compile_values(path))(body)]


def _found(
    mounted: MountedRule,
    root: Where,
    value: Any,
    before: At,
    key: ResourceKey,
    body: Mapping[str, Any],
    surface: Surface,
) -> list[Reference]:
    to, run = mounted.rule.to, Run(key.namespace, key.name, body, [], [])
    by_labels = to.selector is not None or to.every or to.marked_default
    make = TextReader if to.reads else LabelReader if by_labels else NameReader
    for at in mounted.at:
        reader = make(mounted.rule, root.deeper(at), key.kind_id, surface)
        for items, inner in _reached(value, reader.where.steps):
            reader.reading()(inner, (*before, *items), run)
    return run.found


def _reached(value: Any, steps: tuple[Step, ...]) -> Reached:
    if value is None:
        return
    if not steps:
        yield (), value
        return
    step, *rest = steps
    rows: list[tuple[At, Any]] = []
    if step is not None:
        rows = [((), value.get(step))] if isinstance(value, dict) else []
    elif isinstance(value, list):
        rows = [((index,), inner) for index, inner in enumerate(value)]
    elif isinstance(value, dict):
        rows = [((f"['{name}']",), inner) for name, inner in value.items()]
    for item, inner in rows:
        for items, one in _reached(inner, tuple(rest)):
            yield (*item, *items), one


def _mappings(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    rows = [(one, str(name)) for name, one in body.items() if name not in ("apiVersion", "kind", "metadata", "status")]
    while rows:
        value, path = rows.pop()
        if isinstance(value, dict):
            yield path, value
            rows += [(one, path + suffix_of(str(name))) for name, one in value.items()]
        elif isinstance(value, list):
            rows += [(one, f"{path}[{index}]") for index, one in enumerate(value)]
