"""Evidence for rules, carried by their file: an object in which a rule finds edges, and a detail that takes them away.

```yaml
examples:
  podspec.volume.secret:
    - object: {kind: Pod, spec: {volumes: [{secret: {secretName: edge-ca}}]}}
      finds: [{target: Secret/shop/edge-ca, path: "spec.volumes[0].secret.secretName"}]
      not_found: {"spec.volumes[0].secret.secretName": null}
```

What an object leaves out is filled in: `kind: apps/Deployment` says its group, the version is v1, the name is web, the
namespace shop.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import Reference
from schemas.relations.edges import selector_record
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue
from schemas.relations.rule import Use
from schemas.relations.rule_file import RuleFile, Source, read_part, refusal

METADATA: Final = {"name": "web", "namespace": "shop"}
_STEP: Final = re.compile(r"([A-Za-z0-9_$-]+)|\[(\d+)\]|\['([^']+)'\]|\.")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expected(_Model):
    """An edge that must be found, to the letter; what is left out must be empty or false."""

    path: str
    target: str = ""
    selector: dict[str, Any] | None = None
    granule: str = ""
    optional: bool = False
    soft: bool = False

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.model_dump(exclude_defaults=True).items())


class Example(_Model):
    """One object; `not_found`: details changed (path → value, null takes it away), after which none of it is found."""

    object: dict[str, Any]
    finds: tuple[Expected, ...] = Field(min_length=1)
    not_found: dict[str, Any] = Field(min_length=1)


class ExampleFile(BaseModel):
    """The second document of a rule file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: dict[str, tuple[Example, ...]]


def examples_of(source: Source) -> Iterator[tuple[str, Example]]:
    """(rule, example) of a file. Raises RuleError, also for an example of a rule that the file does not have."""
    found = read_part(source, 1, ExampleFile)
    if found is None:
        return
    document, content = found
    known = set(rules_of(source))
    for rule, rows in content.examples.items():
        if rule not in known:
            line = document.line_of(("examples", rule))
            raise refusal(source, line, f"no rule of this file is called {rule!r}")
        for example in rows:
            yield rule, example


def rules_of(source: Source) -> Iterator[str]:
    """The ids of the rules that a file brings."""
    found = read_part(source, 0, RuleFile)
    assert found is not None, "a file has a first part"
    for mount in found[1].mounts:
        yield from (one.rule for one in mount.rules)
    for entries in found[1].fragments.values():
        yield from (one.rule for one in entries if not isinstance(one, Use))


def failures(rule: str, example: Example, extractor: Extractor) -> list[str]:
    """What is wrong with an example, in words; nothing when it holds."""
    whole = _filled(example.object)
    wanted = [str(one) for one in example.finds]
    found = [str(_as_expected(one)) for one in extractor.state(whole).references if one.rule == rule]
    wrong = [f"not found: {one}" for one in wanted if one not in found]
    wrong += [f"found, not expected: {one}" for one in found if one not in wanted]
    changed = copy.deepcopy(whole)
    for path, value in example.not_found.items():
        try:
            _change(changed, path, value)
        except (KeyError, IndexError, TypeError) as error:
            return [*wrong, f"not_found: {path} is not in the object ({error!r})"]
    still = [str(_as_expected(one)) for one in extractor.state(changed).references if one.rule == rule]
    return wrong + [f"still found after the change: {one}" for one in wanted if one in still]


def untested(catalogue: Catalogue) -> list[str]:
    """Rules of a catalogue that no example of its files shows."""
    shown = {rule for source in catalogue.files for rule, _ in examples_of(source)}
    return sorted({mounted.rule.rule for rows in catalogue.rules.values() for mounted in rows} - shown)


def _as_expected(one: Reference) -> Expected:
    selector = None if one.selector is None else selector_record(one.selector)
    return Expected(
        path=one.path,
        target=one.target,
        selector=selector,
        granule=one.granule,
        optional=one.optional,
        soft=one.soft,
    )


def _filled(body: Mapping[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(dict(body))
    group, _, kind = str(made.get("kind", "")).rpartition("/")
    made["kind"] = kind
    made.setdefault("apiVersion", f"{group}/v1" if group else "v1")
    made["metadata"] = {**METADATA, **made.get("metadata", {})}
    return made


def _change(body: Any, path: str, value: Any) -> None:
    steps: list[str | int] = [
        int(match[2]) if match[2] else match[1] or match[3] for match in _STEP.finditer(path) if match[0] != "."
    ]
    for step in steps[:-1]:
        body = body[step]
    if value is None:
        del body[steps[-1]]
    else:
        body[steps[-1]] = value


def compared(sources: Sequence[Source], extractor: Extractor) -> Iterator[tuple[Source, str, list[str]]]:
    """Each example of some files: (file, rule, what is wrong)."""
    for source in sources:
        for rule, example in examples_of(source):
            yield source, rule, failures(rule, example, extractor)
