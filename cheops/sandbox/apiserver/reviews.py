"""Requests that store nothing: reviews of access and tokens, tokens of service accounts, evictions, bindings.

Everybody may do everything here, so reviews say yes.
"""

from __future__ import annotations

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.realm import new_uid, now_text
from cheops.sandbox.apiserver.store import Object
from cheops.sandbox.apiserver.targets import Target

USER: Object = {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
ALL_RULES: Object = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
TOKEN_LIFETIME_S = 3600

STATUS_OF: dict[str, Object] = {
    "SelfSubjectAccessReview": {"allowed": True},
    "SubjectAccessReview": {"allowed": True},
    "LocalSubjectAccessReview": {"allowed": True},
    "SelfSubjectRulesReview": ALL_RULES,
    "SelfSubjectReview": {"userInfo": USER},
    "TokenReview": {"authenticated": True, "user": USER},
}


def is_review(kind: Kind) -> bool:
    return kind.verbs == ("create",)


def review(kind: Kind, content: Object) -> Object:
    head = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}}
    return {**head, "spec": content.get("spec") or {}, "status": STATUS_OF[kind.kind]}


def token_request(target: Target, content: Object) -> Object:
    """A token that nobody checks."""
    spec = {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": TOKEN_LIFETIME_S}
    expires = now_text(TOKEN_LIFETIME_S)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": now_text()},
        "spec": {**spec, **(content.get("spec") or {})},
        "status": {"token": f"embedded.{target.namespace}.{target.name}.{new_uid()}", "expirationTimestamp": expires},
    }
