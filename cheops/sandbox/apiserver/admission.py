"""Validating webhooks: asked over HTTPS about every write of a client before it is done.

    rules, selectors → AdmissionReview → allowed, with warnings, or a refusal in the webhook's words

A webhook that cannot be reached refuses or is passed over, as its failurePolicy says. Mutating webhooks, match
conditions and webhooks behind a Service are not asked: there is nothing to route to a Service here.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp

from cheops.sandbox.apiserver.controllers.ownership import selects
from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm, new_uid
from cheops.sandbox.apiserver.reviews import USER
from cheops.sandbox.apiserver.statuses import StatusError, internal
from cheops.sandbox.apiserver.store import Object, encode, object_key_of
from cheops.sandbox.apiserver.writing.draft import Draft
from cheops.sandbox.apiserver.writing.scale import scale_of

GROUP = "admissionregistration.k8s.io"  # never asked about: a webhook must not lock itself in
CONFIGURATIONS = CollectionKey(GROUP, "validatingwebhookconfigurations")
NAMESPACES = CollectionKey("", "namespaces")
TIMEOUT_S = 10
SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
LEAST_REFUSAL = 400


class Admission:
    """Of one cluster."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    async def admit(self, draft: Draft) -> None:
        """Adds the warnings to the draft. Raises StatusError when a webhook says no."""
        if draft.kind.group == GROUP:
            return
        hooks = list(self._asked(draft))
        if not hooks:
            return
        async with aiohttp.ClientSession() as session:
            answers = await asyncio.gather(*(_ask(session, hook, draft) for hook in hooks))
        for hook, answer in zip(hooks, answers, strict=True):
            draft.warnings += tuple(answer.get("warnings") or ())
            if not answer.get("allowed"):
                raise _denied(hook["name"], answer.get("status") or {})

    def _asked(self, draft: Draft) -> Iterator[Object]:
        for _, configuration in sorted(self._realm.store.collection(CONFIGURATIONS).objects.items()):
            for hook in configuration.object.get("webhooks") or ():
                if any(_rule_fits(rule, draft) for rule in hook.get("rules") or ()) and self._selected(hook, draft):
                    yield hook

    def _selected(self, hook: Object, draft: Draft) -> bool:
        namespace, name = object_key_of(draft.about)
        if draft.kind.kind == "Namespace" and not draft.kind.group:
            namespace = name
        found = self._realm.store.get(NAMESPACES, "", namespace) if namespace else None
        labels = (found.metadata.get("labels") or {}) if found is not None else {}
        if found is not None and not selects(hook.get("namespaceSelector") or {}, labels):
            return False
        old = _labels(draft, draft.before.object) if draft.before is not None else {}
        new = _labels(draft, draft.about)
        wanted = hook.get("objectSelector") or {}
        return selects(wanted, new) or (bool(old) and selects(wanted, old))


def _rule_fits(rule: Object, draft: Draft) -> bool:
    kind = draft.kind
    if not _among(kind.group, rule["apiGroups"]) or not _among(kind.version, rule["apiVersions"]):
        return False
    scope = rule.get("scope") or "*"
    if not _among(draft.operation, rule["operations"]) or scope == ("Cluster" if kind.namespaced else "Namespaced"):
        return False
    return any(_names(resource, kind, draft.subresource) for resource in rule["resources"])


def _among(value: str, wanted: list[str]) -> bool:
    return value in wanted or "*" in wanted


def _names(resource: str, kind: Kind, subresource: str) -> bool:
    """`pods`, `pods/status`, `pods/*`, `*`, `*/*`."""
    plural, _, part = resource.partition("/")
    return plural in (kind.plural, "*") and part in ((subresource, "*") if subresource else ("", "*"))


async def _ask(session: aiohttp.ClientSession, hook: Object, draft: Draft) -> Object:
    """The response of the webhook, or one that its failurePolicy gives."""
    review = _review(draft)
    client, limit_s = hook["clientConfig"], hook.get("timeoutSeconds", TIMEOUT_S)
    try:
        async with asyncio.timeout(limit_s):
            async with session.post(
                client["url"],
                params={"timeout": f"{limit_s}s"},
                data=encode(review),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                ssl=_trust(client.get("caBundle", "")),
            ) as answer:
                answer.raise_for_status()
                response = (await answer.json())["response"]
                if response["uid"] != review["request"]["uid"]:
                    raise ValueError(f"expected response.uid={review['request']['uid']}")
                return dict(response)
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, ssl.SSLError) as error:
        if hook.get("failurePolicy") == "Ignore":
            return {"allowed": True}
        why = f"failed to call webhook: {type(error).__name__}: {error}"
        raise internal(f'Internal error occurred: failed calling webhook "{hook["name"]}": {why}') from error


def _trust(bundle: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=base64.b64decode(bundle).decode() if bundle else None)


def _review(draft: Draft) -> Object:
    kind = draft.kind
    namespace, name = object_key_of(draft.about)
    own_kind = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    said_kind = SCALE if draft.subresource == "scale" else own_kind
    resource = {"group": kind.group, "version": kind.version, "resource": kind.plural}
    deletes = draft.operation == "DELETE"
    request: dict[str, Any] = {
        "uid": new_uid(),
        "kind": said_kind,
        "resource": resource,
        "requestKind": said_kind,
        "requestResource": resource,
        "name": name,
        "operation": draft.operation,
        "userInfo": USER,
        "object": None if deletes else _shown(draft, draft.about),
        "oldObject": _shown(draft, draft.before.object) if draft.before is not None else None,
        "dryRun": draft.dry_run,
        "options": None,
    }
    if namespace:
        request["namespace"] = namespace
    if draft.subresource:
        request |= {"subResource": draft.subresource, "requestSubResource": draft.subresource}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _shown(draft: Draft, stored: Object) -> Object:
    """Of its scale a webhook sees that alone."""
    whole = from_stored(draft.kind, stored)
    return scale_of(whole) if draft.subresource == "scale" else whole


def _labels(draft: Draft, stored: Object) -> dict[str, str]:
    return _shown(draft, stored)["metadata"].get("labels") or {}


def _denied(name: str, status: Object) -> StatusError:
    said = status.get("message") or status.get("reason") or ""
    denied = f'admission webhook "{name}" denied the request'
    message = f"{denied}: {said}" if said else f"{denied} without explanation"
    code = max(status.get("code", 0), LEAST_REFUSAL)
    return StatusError(code, status.get("reason", ""), message, status.get("details"))
