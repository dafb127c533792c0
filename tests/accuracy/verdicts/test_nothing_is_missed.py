"""What may be deleted is missed by nobody: deletion and creation, which are judged by different code, hold each other.

a labelled site ─▶ delete each of its resources ─▶ where that is allowed: write what stays once more ─▶ nothing is
missing now that was not missing before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from cheops.offline.check import Act
from tests.accuracy.verdicts.cases import Case, load_cases
from tests.accuracy.verdicts.court import keys_of, verdict_on

Body = dict[str, Any]
MISSING = ("D110", "D112", "D114")
CASES = {  # one of each site: what is asked of it stands in no label
    json.dumps([one.body for one in next(iter(case.sites.values()))]): case
    for case in reversed(load_cases())
    if len(case.sites) == 1 and not case.flaws
}.values()


def _owned(bodies: Sequence[Body], gone: Body) -> list[Body]:
    """With everything that goes with it, because nobody else owns it."""
    going = [gone]
    for _ in bodies:  # as deep as they can own each other
        marks = [(one["kind"], one["metadata"]["name"]) for one in going]
        for body in bodies:
            owners = [(row.get("kind"), row.get("name")) for row in body["metadata"].get("ownerReferences", ())]
            if body not in going and owners and all(one in marks for one in owners):
                going.append(body)
    return going


def _missing(case: Case, bodies: Sequence[Body]) -> dict[tuple[str, str], str]:
    """(who, what) → the code, when everything is written again with another label."""
    if not bodies:
        return {}
    labels = {"touched": "yes"}
    touched = [
        {**one, "metadata": {**one["metadata"], "labels": {**(one["metadata"].get("labels") or {}), **labels}}}
        for one in bodies
    ]
    verdict = verdict_on(case, Act(verb="apply", manifests=tuple(touched)), bodies, scope="")
    rows = [(one.code, one.relation) for one in verdict.reasons if one.code in MISSING]
    # An owner that goes while another one stays is missed by nobody.
    return {(edge.source, edge.target): code for code, edge in rows if edge is not None and edge.kind != "composition"}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_may_go_is_missed_by_nobody(case: Case) -> None:
    bodies = [one.body for one in next(iter(case.sites.values()))]
    for body, key in zip(bodies, keys_of(case, bodies), strict=True):
        act = Act(verb="delete", resources=(f"{key.kind_id}/{key.name}",), namespace=key.namespace)
        verdict = verdict_on(case, act, scope="")
        if verdict.decision != "allow" or body["kind"] == "Namespace":
            continue  # what is in a namespace goes with it
        going = _owned(bodies, body)
        after = _missing(case, [one for one in bodies if one not in going])
        before = _missing(case, bodies) if after else {}  # a verdict that most cases can do without
        ungranted = {who for (who, _), code in before.items() if code == "D114"}
        new = {(who, what) for who, what in after if (who, what) not in before and who not in ungranted}
        assert not new, verdict.summary
