"""Mistakes in what is asked about others' requests: webhooks, policies, API services. Pure; see crossing.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cheops.forms import cel
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
KNOWN_REVIEWS: Final = ("v1", "v1beta1")
EVERY: Final = "*"
PATCHES: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
EXPRESSIONS: Final = frozenset(("expression", "messageExpression", "valueExpression", "rule"))
LISTS: Final = ("operations", "apiGroups", "apiVersions")


def webhooks(body: Body) -> Iterator[str]:
    """Where they are, what they are asked about, and in which words."""
    for place, one in enumerate(rows_of(body.get("webhooks"))):
        path = f"webhooks[{place}]"
        client = mapping_of(one.get("clientConfig"))
        yield from wrong_url(f"{path}.clientConfig.url", client.get("url"))
        yield from unknown_reviews(f"{path}.admissionReviewVersions", one.get("admissionReviewVersions"))
        yield from _rules(f"{path}.rules", one.get("rules"))
        yield from wrong_expressions(f"{path}.matchConditions", one.get("matchConditions"))


def wrong_expressions(path: str, rows: Any) -> Iterator[str]:
    """Each reads as CEL; what it speaks of is left to the API server."""
    for place, row in enumerate(rows_of(rows)):
        for field in sorted(EXPRESSIONS & row.keys()):
            wrong = cel.syntax_error(row[field]) if isinstance(row[field], str) else None
            if wrong:
                yield f"{path}[{place}].{field}: no CEL: {wrong}"


def unknown_reviews(path: str, versions: Any) -> Iterator[str]:
    """One of the forms of a review is one that an API server speaks."""
    if isinstance(versions, list) and versions and not set(map(str, versions)) & set(KNOWN_REVIEWS):
        yield f"{path}: none of {', '.join(KNOWN_REVIEWS)}"


def wrong_url(path: str, url: Any) -> Iterator[str]:
    """An address and a path, nothing else."""
    if not isinstance(url, str) or not url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        yield f"{path}: {url!r:.80} is no URL"
        return
    if not parts.netloc.rpartition("@")[2]:
        yield f"{path}: {url!r:.80} has no host"
    if "@" in parts.netloc or parts.query or parts.fragment:
        yield f"{path}: {url!r:.80} has a user, a query or a fragment"


def policy(body: Body) -> Iterator[str]:
    """What it is asked about; each of its mutations is of the sort that it says."""
    spec = mapping_of(body.get("spec"))
    matched = mapping_of(spec.get("matchConstraints"))
    for field in ("resourceRules", "excludeResourceRules"):
        yield from _rules(f"spec.matchConstraints.{field}", matched.get(field))
    for field in ("matchConditions", "validations", "variables", "auditAnnotations"):
        yield from wrong_expressions(f"spec.{field}", spec.get(field))
    for place, one in enumerate(rows_of(spec.get("mutations"))):
        wanted = PATCHES.get(str(one.get("patchType")))
        if wanted is None:
            continue  # which is said of the field
        if one.get(wanted) is None:
            yield f"spec.mutations[{place}].{wanted}: missing (patchType is {one['patchType']})"
        for other in set(PATCHES.values()) - {wanted}:
            if one.get(other) is not None:
                yield f"spec.mutations[{place}].{other}: not with patchType {one['patchType']}"


def policy_binding(body: Body) -> Iterator[str]:
    """What is denied need not be warned of."""
    spec = mapping_of(body.get("spec"))
    actions = spec.get("validationActions")
    if isinstance(actions, list) and {"Deny", "Warn"} <= set(map(str, actions)):
        yield "spec.validationActions: Deny and Warn exclude each other"
    matched = mapping_of(spec.get("matchResources"))
    for field in ("resourceRules", "excludeResourceRules"):
        yield from _rules(f"spec.matchResources.{field}", matched.get(field))


def _rules(path: str, rules: Any) -> Iterator[str]:
    """A star stands for all, so nothing stands beside it."""
    for place, rule in enumerate(rows_of(rules)):
        for field in LISTS:
            words = rule.get(field)
            if isinstance(words, list) and EVERY in words and len(words) > 1:
                yield f"{path}[{place}].{field}: * stands alone"
        resources = [str(one) for one in rule.get("resources") or () if isinstance(rule.get("resources"), list)]
        if "*/*" in resources and len(resources) > 1:
            yield f"{path}[{place}].resources: */* stands alone"
        if EVERY in resources and any("/" not in one for one in resources if one != EVERY):
            yield f"{path}[{place}].resources: * stands for all that are no part of another"


def api_service(body: Body) -> Iterator[str]:
    """Its name is what it serves; whom it need not trust it cannot check."""
    spec = mapping_of(body.get("spec"))
    group, version = spec.get("group"), spec.get("version")
    expected = f"{version}.{group}" if group else f"{version}."
    name = mapping_of(body.get("metadata")).get("name")
    if version and name != expected:
        yield f"metadata.name: {name!r} (expected {expected})"
    if spec.get("insecureSkipTLSVerify") is True and spec.get("caBundle"):
        yield "spec.insecureSkipTLSVerify: not with caBundle"
    if spec.get("service") is None and (spec.get("caBundle") or spec.get("insecureSkipTLSVerify") is True):
        yield "spec: the API server itself needs no caBundle and no insecureSkipTLSVerify"
