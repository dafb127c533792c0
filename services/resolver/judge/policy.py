"""How strict a number is: the tables of verdicts.md, unless a policy file says otherwise. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.identity import ResourceId, SiteName
from schemas.policy import PolicyFile, PolicyRule, Setting
from services.resolver.graph.label_index import namespace_of
from services.resolver.judge.findings import Finding

LETTERS: Final[dict[Setting, str]] = {"deny": "D", "warn": "W", "note": "N", "ignore": ""}
LabelsOf = Callable[[ResourceId], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file in force; an empty one is the default.

    digest   names it in the verdicts that it shaped; `default` when it changes nothing
    """

    file: PolicyFile = field(default_factory=PolicyFile)
    digest: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        plain = self.file == PolicyFile()
        digest = "default" if plain else hashlib.blake2b(self.file.to_json(), digest_size=8).hexdigest()
        object.__setattr__(self, "digest", digest)

    def letter(self, finding: Finding, site: SiteName, labels_of: LabelsOf) -> str:
        """The letter in force, "" to leave the finding out. What is unknown stays unknown: an F is never set."""
        if finding.letter == "F":
            return "F"
        for rule in self.file.rules:
            if rule.code == finding.number and _fits(rule, finding, site, labels_of):
                return LETTERS[rule.set]
        return finding.letter

    def may_override(self, requester: str) -> bool:
        """Nobody, unless the policy names them."""
        return any(fnmatch.fnmatchcase(requester, pattern) for pattern in self.file.overriders)


def _fits(rule: PolicyRule, finding: Finding, site: SiteName, labels_of: LabelsOf) -> bool:
    if rule.relation is not None and (finding.edge is None or finding.edge.reference.relation != rule.relation):
        return False
    if rule.sites and not _any_matches(site, rule.sites):
        return False
    if not rule.namespaces and not rule.labels:
        return True
    if finding.resource is None:
        return False
    if rule.namespaces and not _any_matches(namespace_of(finding.resource), rule.namespaces):
        return False
    labels = labels_of(finding.resource) if rule.labels else {}
    return all(labels.get(name) == value for name, value in rule.labels.items())


def _any_matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
