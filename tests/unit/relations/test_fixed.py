"""What of an object cannot be changed: paths, and what stands below them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.relations.fixed import FixedFields
from schemas.relations.kind_facts import KindFacts

POD = FixedFields(
    KindFacts(
        kind="Pod",
        immutable=("spec",),
        mutable=("spec.containers[*].image",),
        grows=("spec.tolerations",),
        settable=("spec.deadline",),
        filled=("spec.nodeName",),
        defaults={"spec.restartPolicy": "Always", "spec.links": True},
    )
)


def _pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": "a"}], **spec}}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (_pod(), _pod(containers=[{"name": "main", "image": "b"}]), ()),
        (
            _pod(),
            _pod(containers=[{"name": "main", "image": "a", "env": [{"name": "A"}]}]),
            ("spec.containers[0].env",),
        ),
        (_pod(containers=[{"name": "main", "env": [{"name": "A"}]}]), _pod(), ("spec.containers[0].env",)),
        (_pod(), _pod(containers=[{"name": "main"}, {"name": "other"}]), ("spec.containers",)),
        (_pod(), _pod(restartPolicy="Always"), ()),
        (_pod(restartPolicy="Always"), _pod(), ()),
        (_pod(), _pod(restartPolicy="Never"), ("spec.restartPolicy",)),
        (_pod(), _pod(links=False), ("spec.links",)),
        (_pod(), _pod(hostNetwork=False), ()),
        (_pod(tolerations=["a"]), _pod(tolerations=["a", "b"]), ()),
        (_pod(tolerations=["a"]), _pod(tolerations=["b"]), ("spec.tolerations[0]",)),
        (_pod(tolerations=["a"]), _pod(), ("spec.tolerations",)),
        (_pod(), _pod(deadline=5), ()),
        (_pod(deadline=5), _pod(deadline=6), ("spec.deadline",)),
        (_pod(nodeName="n"), _pod(), ()),
        (_pod(nodeName="n"), _pod(nodeName="m"), ("spec.nodeName",)),
        (_pod(), {"spec": {}}, ("spec.containers",)),
    ],
)
def test_an_object_that_says_all_changes_what_it_leaves_out(
    old: dict[str, Any], new: dict[str, Any], changed: tuple[str, ...]
) -> None:
    assert POD.changed(old, new, whole=True) == changed


def test_a_part_of_an_object_changes_only_what_it_says() -> None:
    live = _pod(nodeName="n", volumes=[{"name": "token"}, {"name": "mine"}])
    assert POD.changed(live, {"spec": {"volumes": [{"name": "mine"}]}}) == ()
    assert POD.changed(live, {"spec": {"volumes": [{"name": "other"}]}}) == ("spec.volumes",)
    assert POD.changed(live, {"spec": {}}) == ()


def test_what_was_added_since_need_not_be_said_and_what_has_no_name_is_told_by_its_place() -> None:
    live = _pod(tolerations=["mine", "given"], claims=[{"kind": "a"}, {"kind": "b"}])
    assert POD.changed(live, {"spec": {"tolerations": ["mine"]}}) == ()
    assert POD.changed(live, {"spec": {"tolerations": ["mine"]}}, whole=True)
    assert POD.changed(live, {"spec": {"claims": [{"kind": "a"}]}}) == ("spec.claims",)


def test_a_flag_in_the_object_seals_other_fields() -> None:
    sealed = FixedFields(KindFacts(kind="ConfigMap", immutable_when={"immutable": ("data", "immutable")}))
    assert sealed.changed({"data": {"a": "1"}}, {"data": {"a": "2"}}, whole=True) == ()
    assert sealed.changed({"data": {"a": "1"}, "immutable": True}, {"data": {"a": "2"}, "immutable": True}) == (
        "data.a",
    )
    assert sealed.changed({"data": {"a": "1"}, "immutable": True}, {"data": {"a": "1"}}, whole=True) == ("immutable",)


def test_what_holds_anyhow_is_not_said() -> None:
    assert POD.bare(_pod(restartPolicy="Always", links=False)) == _pod(links=False)


@pytest.mark.parametrize("name", [{"a": 1}, [1], 7, None])
def test_items_whose_names_are_no_text_are_no_items_to_be_told_apart(name: object) -> None:
    odd = {"name": name, "image": "a"}
    old, new = _pod(containers=[odd, odd]), _pod(containers=[odd])
    assert POD.changed(old, new, whole=False) == ("spec.containers",)
