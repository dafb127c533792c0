"""Where nothing can read expressions in CEL: what is said of it, and what is judged all the same."""

from __future__ import annotations

import sys

import pytest

from cheops.forms import cel
from cheops.forms.cel import _compiled, _language
from cheops.forms.validations import broken
from cheops.offline.sites import site_of
from schemas.documents import Document
from schemas.identity import site_name
from tests.accuracy.verdicts.cases import load_cases
from tests.accuracy.verdicts.court import catalogue


def _broken(rule: str, after: str, before: str | None = None) -> list[str]:
    field = {"type": "string", "x-kubernetes-validations": [{"rule": rule, "message": "no"}]}
    was = None if before is None else {"spec": {"a": before}}
    spec = {"type": "object", "properties": {"a": field}}
    return list(broken(was, {"spec": {"a": after}}, {"type": "object", "properties": {"spec": spec}}))


def test_where_the_library_is_missing_a_site_that_has_rules_says_that_they_are_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ruled = next(one.sites["lyon"] for one in load_cases() if "a rule of its definition" in one.row)
    plain = [Document("a", 1, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})]
    assert cel.is_installed() != bool(site_of(site_name("lyon"), ruled, catalogue()).warnings)
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    told = "rules in CEL are not read at lyon (pip install 'cheops[cel]', with Python 3.14 or older)"
    assert site_of(site_name("lyon"), ruled, catalogue()).warnings == [told]
    assert not site_of(site_name("lyon"), plain, catalogue()).warnings


def test_where_the_library_is_missing_what_has_to_stay_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    _language.cache_clear()
    _compiled.cache_clear()
    assert _broken("self == oldSelf", "a", before="b") == ["spec.a: no"]
    assert _broken("self == 'c'", "a") == []
    monkeypatch.undo()
    _language.cache_clear()
    _compiled.cache_clear()
    assert bool(_broken("self == 'c'", "a")) == cel.is_installed()
