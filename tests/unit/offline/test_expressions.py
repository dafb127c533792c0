"""Expressions in CEL as they are written: what has no form is refused, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.forms import cel
from cheops.forms.fields import wrong_with
from tests.kit.needs import CEL

pytestmark = CEL
Body = dict[str, Any]
HALF = "object.spec.replicas <= 5 &&"
SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": [{"rule": HALF}]}}}


def _of(group: str, kind: str, **body: Any) -> Body:
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "as.example.com"}, **body}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (
            _of(
                "admissionregistration.k8s.io",
                "ValidatingAdmissionPolicy",
                spec={"validations": [{"expression": HALF}]},
            ),
            "spec.validations[0].expression",
        ),
        (
            _of(
                "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", spec={"variables": [{"expression": HALF}]}
            ),
            "spec.variables[0].expression",
        ),
        (
            _of(
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration",
                webhooks=[{"matchConditions": [{"name": "a", "expression": HALF}]}],
            ),
            "webhooks[0].matchConditions[0].expression",
        ),
        (
            _of(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                spec={"versions": [{"name": "v1", "schema": {"openAPIV3Schema": SCHEMA}}]},
            ),
            "properties[spec].x-kubernetes-validations[0].rule",
        ),
    ],
)
def test_half_an_expression_is_told_with_its_field_and_its_column(body: Body, where: str) -> None:
    (told,) = [one for one in wrong_with(body) if "CEL" in one]
    assert where in told
    assert told.endswith("no CEL: mismatched input '<EOF>' (line 1, column 29)")


@pytest.mark.parametrize(
    "expression",
    [
        "nobody.knows(this) == quantity('1')",
        "// why\nself.a > 1",
        "{?'a': self.?b, 'c': 1}",
        "self.m.transformMap(k, v, v > 1)",
        "self.`a-b` == 1",
        "Object{metadata: Object.metadata{labels: {'a': 'b'}}}",
        "namespaceObject.metadata.labels[?'a'].orValue('') == 'b'",
        "self.a == 1u && 0x1F > 2 && 1.5e3 > .5",
        "self.if == 1",
        "r'\\d+' == '''two\nlines'''",
    ],
)
def test_what_has_a_form_is_left_to_the_api_server(expression: str) -> None:
    assert cel.syntax_error(expression) is None
