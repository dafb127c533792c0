"""Labelled cases: manifests of sites, an act, and the answer that verdicts.md gives. Read from `cases/*.yaml`.

    - case: a Secret that a living Deployment mounts          # a sentence, unique
      row: "Delete · does a living dependent rely on it"      # the row of verdicts.md that decides
      sites: {lyon: [ca, mounts-ca]}                          # the first is where the intent is entered
      act: {delete: [secret/edge-ca], namespace: shop}        # or {manifests: […], verb: update}, {read: […]}
      flaws: {lyon: {stale: true}}                            # optional: stale, unreachable, blind: [secrets]
      scope: lyon & oslo                                      # optional
      latencies: {"lyon:oslo": 0.008}                         # optional: round trips between sites, in seconds
      expect: {decision: deny, codes: [D310], resources: [apps/Deployment/shop/web], also: [W314]}
      offline_only: why it cannot be shown on an API server   # optional

A manifest is an object, the name of one in `parts.yaml`, or `{use: NAME, with: {…}}`: that one with a merge patch laid
over it, so that the detail which turns the answer is all that a pair of cases shows.

`codes` are all codes with the severity of the decision (for an allow: all warnings and notes), `resources` what the
reasons with these codes are about (left out: not compared), `also` other codes that must be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from schemas.documents import Document, parse_value
from schemas.identity import SiteName
from schemas.verdicts import Verdict

HERE = Path(__file__).parent
CEL_ROWS = ("a rule of its definition", "an admission policy")
UNASKED = {"N230"}  # who notices a change is said besides; it is compared only where a label names it


@dataclass(frozen=True, slots=True)
class Expected:
    """The label."""

    decision: str
    codes: tuple[str, ...]
    resources: tuple[str, ...] | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled case."""

    name: str
    row: str
    sites: dict[str, list[Document]]
    act: dict[str, Any]
    expect: Expected
    flaws: dict[str, dict[str, Any]] = field(default_factory=dict)
    scope: str = ""
    latencies: dict[tuple[SiteName, SiteName], float] = field(default_factory=dict)
    offline_only: str = ""

    @property
    def reads_cel(self) -> bool:
        """Whether an expression of a definition or of a policy decides."""
        return self.expect.decision == "deny" and any(one in self.row for one in CEL_ROWS)


@cache
def load_cases() -> tuple[Case, ...]:
    """Every case of every file beside this module, in order; nobody changes one."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    parts = parse_value((HERE / "parts.yaml").read_bytes(), "parts.yaml")
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for body in parse_value(path.read_bytes(), path.name):
            yield _case(body, path.name, parts)


def _case(body: dict[str, Any], file: str, parts: dict[str, Any]) -> Case:
    unknown = set(body) - {"case", "row", "sites", "act", "expect", "flaws", "scope", "latencies", "offline_only"}
    assert not unknown, f"{file}: {body.get('case')}: unknown {sorted(unknown)}"
    sites = {name: [_manifest(one, parts, file) for one in rows] for name, rows in body["sites"].items()}
    act = dict(body["act"])
    if "manifests" in act:
        act["manifests"] = [_manifest(one, parts, file).body for one in act["manifests"]]
    expect = body["expect"]
    return Case(
        name=body["case"],
        row=body["row"],
        sites=sites,
        act=act,
        expect=Expected(
            expect["decision"],
            tuple(sorted(expect.get("codes", ()))),
            tuple(sorted(expect["resources"])) if "resources" in expect else None,
            tuple(expect.get("also", ())),
        ),
        flaws=body.get("flaws", {}),
        scope=body.get("scope", ""),
        latencies={_pair(text): trip_s for text, trip_s in body.get("latencies", {}).items()},
        offline_only=body.get("offline_only", ""),
    )


def _pair(text: str) -> tuple[SiteName, SiteName]:
    one, _, other = text.partition(":")
    return SiteName(one), SiteName(other)


def _manifest(row: Any, parts: dict[str, Any], file: str) -> Document:
    if isinstance(row, str):
        row = {"use": row}
    body = row if "kind" in row else _patched(parts[row["use"]], row.get("with", {}))
    return Document(file, 1, body)


def _patched(value: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, inner in patch.items():
        made[name] = _patched(made.get(name), inner)
    return {name: inner for name, inner in made.items() if inner is not None}


def differences(expected: Expected, verdict: Verdict) -> list[str]:
    """What the verdict says otherwise; empty when it agrees."""
    severities = {"deny": {"deny"}, "defer": {"defer"}, "allow": {"warning", "note"}}[expected.decision]
    speaking = [one for one in verdict.reasons if one.severity in severities]
    found = tuple(sorted({one.code for one in speaking} - (UNASKED - set(expected.codes))))
    rows = []
    if verdict.decision != expected.decision:
        rows.append(f"decision: {verdict.decision}, expected {expected.decision}: {verdict.summary}")
    if found != expected.codes:
        rows.append(f"codes: {list(found)}, expected {list(expected.codes)}")
    resources = tuple(sorted({one.resource for one in speaking if one.resource and one.code in expected.codes}))
    if expected.resources is not None and resources != expected.resources:
        rows.append(f"resources: {list(resources)}, expected {list(expected.resources)}")
    codes = {one.code for one in verdict.reasons}
    rows += [f"{code} is missing (there are {sorted(codes)})" for code in expected.also if code not in codes]
    return rows
