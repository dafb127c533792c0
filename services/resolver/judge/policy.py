"""How strict a number is. The default is the tables of verdicts.md; files that change it come later. Pure."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

from services.resolver.judge.findings import Finding


@dataclass(frozen=True, slots=True)
class Policy:
    """`letters`: number → letter in force (D, F, W, N). `overriders`: patterns of requesters who may override."""

    letters: dict[str, str] = field(default_factory=dict)
    overriders: tuple[str, ...] = ()

    def letter(self, finding: Finding) -> str:
        """The letter in force. What is unknown stays unknown: an F cannot be set to anything else."""
        if finding.letter == "F":
            return "F"
        return self.letters.get(finding.number, finding.letter)

    def may_override(self, requester: str) -> bool:
        """Nobody, unless the policy names them."""
        return any(fnmatch.fnmatchcase(requester, pattern) for pattern in self.overriders)
