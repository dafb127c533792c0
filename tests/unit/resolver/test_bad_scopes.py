"""Scopes that make no sense, entered as an intent: a code, the column where there is one, and nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.envelope import MessageError
from schemas.intents import Intent
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

NEW = without_uid(secret("new"))
USER = without_uid(deployment("user", mounts_secret("bound"), app="user"))
DEEP = "(" * 1_000 + "lyon" + ")" * 1_000

# scope, what is to be made, code, what is said; the column is in it where the scope itself is wrong
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("lyon & olso", NEW, "D601", "column 8 of the scope: no site is called 'olso' (near: oslo"),
    ("secret: lyon & nizza", NEW, "D601", "column 16 of the scope: no site is called 'nizza'"),
    ("lyon & lyon", NEW, "D600", "column 8 of the scope: lyon is replicated to already"),
    ("lyon % lyon", NEW, "D600", "column 8 of the scope: lyon has a share already"),
    ("lyon % oslo", NEW, "D620", "column 6 of the scope: Secret shop/new has no number that could be divided"),
    ("lyon*0 % oslo", NEW, "D600", "column 6 of the scope: a weight is a whole number from 1 to 1000"),
    (DEEP, NEW, "D600", "column 33 of the scope: "),
    ("deployment: lyon, secret: oslo", USER, "D610", "column 19 of the scope: Secret shop/bound means"),
    ("secret: oslo, secret: nice", NEW, "D600", "column 15 of the scope: this has a place already"),
    ("lyon & ", NEW, "D600", "column 7 of the scope: expected a site"),
]


def assert_nothing_was_done(mesh: VirtualMesh, before: dict[str, set[str]]) -> None:
    assert {name: set(world.cluster.objects) for name, world in mesh.worlds.items()} == before
    for world in mesh.worlds.values():
        assert not world.operations
        assert not world.machine.holds.any
        assert world.is_idle


@pytest.mark.parametrize("verb", ["create", "apply"])
@pytest.mark.parametrize(("scope", "manifest", "code", "said"), WRONG, ids=[row[0][:30] for row in WRONG])
def test_a_scope_that_makes_no_sense_is_denied_with_its_place_and_nothing_is_done(
    scope: str, manifest: dict[str, Any], code: str, said: str, verb: Any
) -> None:
    mesh = VirtualMesh(["lyon", "oslo", "nice"])
    mesh["oslo"].cluster.put({**secret("bound"), "type": "bootstrap.kubernetes.io/token"})
    mesh.settle()
    before = {name: set(world.cluster.objects) for name, world in mesh.worlds.items()}
    mesh.enter("lyon", verb, scope, manifests=(manifest,))
    mesh.pump()
    mesh.settle(4)
    verdict = mesh.verdict("lyon")
    assert verdict.decision == "deny", verdict
    assert {one.code for one in verdict.reasons} == {code}
    assert any(one.message.startswith(said) for one in verdict.reasons), verdict.reasons
    what = f"{manifest['kind']} shop/{manifest['metadata']['name']}"
    assert verdict.summary.startswith(f"{verb} {what} @ lyon: "), verdict.summary
    assert_nothing_was_done(mesh, before)


@pytest.mark.parametrize("scope", ["", "lyon & oslo", "lyon % oslo", "secret: oslo"])
@pytest.mark.parametrize("words", ["labels", "annotations"])
@pytest.mark.parametrize("value", [0.5, True, "x", [1]], ids=repr)
def test_words_that_are_no_mapping_are_denied_by_their_name(scope: str, words: str, value: Any) -> None:
    """A number for labels, in a scope of several sites, ended the resolver where it was entered, five times."""
    mesh = VirtualMesh(["lyon", "oslo", "nice"])
    mesh.settle()
    mesh.enter("lyon", "create", scope, manifests=({**NEW, "metadata": {**NEW["metadata"], words: value}},))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert [one.code for one in verdict.reasons] == ["D010"]
    assert f"metadata.{words}: expected a mapping" in verdict.summary


@pytest.mark.parametrize("verb", ["delete", "read"])
def test_names_in_a_scope_that_makes_no_sense_are_denied_with_its_place(verb: Any) -> None:
    mesh = VirtualMesh(["lyon", "oslo"])
    mesh["lyon"].cluster.put(secret("new"))
    mesh.settle()
    before = {name: set(world.cluster.objects) for name, world in mesh.worlds.items()}
    mesh.enter("lyon", verb, "lyon & olso", resources=("secret/new",))
    mesh.pump()
    mesh.settle(4)
    verdict = mesh.verdict("lyon")
    assert [(one.code, one.message[:9]) for one in verdict.reasons] == [("D601", "column 8 ")]
    assert_nothing_was_done(mesh, before)


def test_around_a_site_of_which_no_latency_is_known_is_denied() -> None:
    mesh = VirtualMesh(["lyon"])
    mesh.settle()
    mesh.enter("lyon", "create", "around(lyon, 10ms)", manifests=(NEW,))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert [one.code for one in verdict.reasons] == ["D600"]
    assert "no latency" in verdict.reasons[0].message
    assert "Secret/shop/new" not in mesh["lyon"].cluster.objects


def test_a_scope_of_ten_thousand_characters_is_no_intent() -> None:
    body = VirtualMesh(["lyon"]).intent("lyon", "create", "lyon", manifests=(NEW,)).to_json()
    with pytest.raises(MessageError, match="scope"):
        Intent.from_json(body.replace(b'"scope":"lyon"', b'"scope":"' + b"a" * 10_000 + b'"'))
