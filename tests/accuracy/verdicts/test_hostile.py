"""Whatever stands in a manifest: a verdict, or a clear error, and soon. Labelled cases with one value replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.documents import DocumentError
from schemas.envelope import MessageError
from schemas.identity import IdentityError
from tests.accuracy.verdicts.cases import Case, load_cases
from tests.accuracy.verdicts.court import act_of, verdict_on
from tests.kit.examples import examples

CLEAR = (DocumentError, MessageError, IdentityError)  # what `cheops check` prints, and ends with 2
CASES = list(load_cases())
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", {}, [], [[]], [None], [1, "a", {}], {"": ""}, {"a": None}, {"name": {"x": 1}}),
    *(-1, 0, 2**63, 10**40, 1e300, 3.5, float("inf"), float("nan"), "9" * 400, "1e999999999", "1e900000", "-5", "110%"),
    *("\n", "\0", "é", "x" * 300, "a/b/c/d", "*", "..", "[", "(?", "=", "self.", "$(A)", "::/999", "1.2.3.4/40"),
    *("2026-13-45T99:99:99Z", {"matchLabels": [1]}, {"matchLabels": {"a": [1]}}, {"matchExpressions": {"key": "a"}}),
)
UNNAMED = (("kind",), ("apiVersion",), ("metadata",), ("metadata", "name"))  # of what a site has, and so has a name


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in rows:
        yield from _places(below, (*path, step))
    if path:
        yield path


def _with(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(body)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return made


KNOWN: tuple[tuple[str, str, Any], ...] = (  # what once ended in a traceback, or took a minute
    ("a namespace goes with an original whose copy nobody uses", "metadata.annotations", "x"),
    ("an unhealthy dependency", "status.conditions.0.type", []),
    ("a default of a definition that does not fit", "spec.versions", 2**63),
    ("a parameter of a kind of its own goes", "spec.versions.0", "x"),
    ("a version goes at which nothing is stored any more", "spec.versions.0", {"name": {"x": 1}}),
    ("three of three sites are had where one would do", "metadata", "x"),
    ("a second range of addresses beside the first", "spec.cidrs", 3.5),
    ("a write that a webhook without its Service is asked about", "webhooks.0.rules.0.apiVersions.0", [[]]),
    ("a pod sets a parameter of its own network where the baseline holds", "spec.securityContext.sysctls.0.name", {}),
    ("a pod cannot be held back afterwards", "spec.schedulingGates.0.name", [None]),
    ("an image that a policy does not allow", "spec.validationActions", 5),
    ("a pod that says all that is asked", "spec.containers.0.securityContext.capabilities.drop", 5),
    ("a pod with a capability too many", "spec.containers.0.securityContext.capabilities.add", 1e300),
    ("an object at a version that its definition in the bundle does not serve", "spec.versions", True),
    ("a pod for which a quota of cpu has no room", "spec.containers.0.resources.requests.cpu", "1e900000"),
    ("a pod for which a quota of cpu has no room", "spec.containers.0.resources.requests.cpu", "1e999999999"),
    ("a pod for which a quota of cpu has no room", "spec.hard", {"requests.cpu": "1e999999999"}),
)


@pytest.mark.parametrize(("name", "path", "value"), KNOWN, ids=[f"{path}: {value!r}" for _, path, value in KNOWN])
def test_a_value_that_once_broke_a_check_does_not(name: str, path: str, value: Any) -> None:
    case = next(one for one in CASES if one.name == name)
    where = tuple(int(step) if step.isdecimal() else step for step in path.split("."))
    judged = 0
    for of_the_site in (True, False):
        for which, body in enumerate(_bodies(case, of_the_site)):
            if where in _places(body):
                assert _answer(case, of_the_site, which, where, value)
                judged += 1
    assert judged, "the case has such a place"


@settings(max_examples=examples(400))
@given(st.sampled_from(CASES), st.booleans(), st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from(VALUES))
def test_any_value_in_a_manifest_gets_a_verdict_or_a_clear_error(
    case: Case, of_the_site: bool, which: int, where: int, value: Any
) -> None:
    bodies = _bodies(case, of_the_site)
    assume(bodies)
    which %= len(bodies)
    places = [one for one in _places(bodies[which]) if not (of_the_site and one in UNNAMED)]
    assume(places)
    assert _answer(case, of_the_site, which, places[where % len(places)], value)


def _bodies(case: Case, of_the_site: bool) -> list[Any]:
    return [one.body for one in next(iter(case.sites.values()))] if of_the_site else list(act_of(case).manifests)


def _answer(case: Case, of_the_site: bool, which: int, path: tuple[Any, ...], value: Any) -> str:
    """The summary of the verdict, or the words of the error."""
    act, bodies = act_of(case), _bodies(case, of_the_site)
    bodies[which] = _with(bodies[which], path, value)
    try:
        verdict = (
            verdict_on(case, act, bodies) if of_the_site else verdict_on(case, replace(act, manifests=tuple(bodies)))
        )
    except CLEAR as error:
        return str(error)
    return verdict.summary


def test_a_definition_that_says_no_version_serves_none() -> None:
    case = next(one for one in CASES if one.name.startswith("an object at a version that its definition in the bundle"))
    bodies = [
        _with(one, ("spec", "versions"), True) if ("spec", "versions") in _places(one) else one
        for one in _bodies(case, of_the_site=False)
    ]
    verdict = verdict_on(case, replace(act_of(case), manifests=tuple(bodies)))
    assert verdict.decision == "deny"
    assert "is served at no version" in verdict.summary
