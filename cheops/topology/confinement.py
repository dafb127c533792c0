"""That our services reach nobody through the API server: a ValidatingAdmissionPolicy and its binding. Pure.

Rights cannot say "all but these": who may `get` every resource may `get` nodes/proxy, too, by which a kubelet runs
commands in any pod, and before Kubernetes 1.35 pods/exec itself. No service of ours ever asks for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

VERSION: Final = "admissionregistration.k8s.io/v1"
NAME: Final = "cheops-connects-to-nobody"
MESSAGE: Final = "a service of cheops connects to no pod, service or node"


def confinement(users: Iterable[str]) -> list[dict[str, Any]]:
    """For these users of an API server."""
    named = " || ".join(f'request.userInfo.username == "{one}"' for one in users)
    every = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CONNECT"], "resources": ["*/*"]}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [every]},
        "matchConditions": [{"name": "by-a-service", "expression": named}],
        "validations": [{"expression": "false", "message": MESSAGE, "reason": "Forbidden"}],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    return [
        {"apiVersion": VERSION, "kind": kind, "metadata": {"name": NAME}, "spec": spec}
        for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding))
    ]
