"""How an API server is told of a site's gate (services/resolver/gate.py): a ValidatingWebhookConfiguration. Pure.

Of two webhooks the first lets through what nobody answers for, so that a resolver that is down stops nobody; the second
does not, and is asked about protected objects only. What runs the cluster itself is never asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schemas.ties import PROTECTED

KIND: Final = "ValidatingWebhookConfiguration"
VERSION: Final = "admissionregistration.k8s.io/v1"
NAME: Final = "cheops-gate"
TIMEOUT_S: Final = 2
NAMESPACES: Final = ("kube-system", "kube-node-lease")
SERVERS_OWN: Final = (  # as services/resolver/gate.py knows them; said here, they cost no request
    'request.userInfo.username.startsWith("system:serviceaccount:kube-system:")',
    'request.userInfo.username.startsWith("system:kube-")',
    'request.userInfo.username.startsWith("system:node:")',
    'request.userInfo.username == "system:apiserver"',
    'request.userInfo.username == "system:cloud-controller-manager"',
)
UNRELATED: Final = (  # kinds that nothing depends on, and that come often
    'request.resource.group in ["coordination.k8s.io", "events.k8s.io"]',
    'request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"]',
    'request.resource.group == "" && request.resource.resource == "events"',
)


def configuration(
    client: dict[str, Any], namespaces: Sequence[str] = (), executors: Sequence[str] = ()
) -> dict[str, Any]:
    """The object. `client`: its clientConfig; `namespaces`: further ones that are let alone; `executors`: users."""
    ours = (f'request.userInfo.username == "{one}"' for one in executors)
    common = {
        "clientConfig": client,
        "rules": [
            {
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "apiGroups": ["*"],
                "apiVersions": ["*"],
                "resources": ["*", "*/scale"],  # of other subresources nothing is a verdict
                "scope": "*",
            }
        ],
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": [*NAMESPACES, *namespaces],
                }
            ]
        },
        "matchConditions": [
            {"name": "by-somebody", "expression": f"!({' || '.join((*SERVERS_OWN, *ours))})"},
            {"name": "about-something", "expression": f"!({' || '.join(f'({one})' for one in UNRELATED)})"},
        ],
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_S,
        "admissionReviewVersions": ["v1"],
    }
    unprotected = {"matchExpressions": [{"key": PROTECTED, "operator": "NotIn", "values": ["true"]}]}
    return {
        "apiVersion": VERSION,
        "kind": KIND,
        "metadata": {"name": NAME},
        "webhooks": [
            {"name": "gate.cheops.io", **common, "failurePolicy": "Ignore", "objectSelector": unprotected},
            {
                "name": "protected.cheops.io",
                **common,
                "failurePolicy": "Fail",
                "objectSelector": {"matchLabels": {PROTECTED: "true"}},
            },
        ],
    }
