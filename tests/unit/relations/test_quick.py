"""An object read from the bytes of a watch says what it says when it is decoded, or is left to be decoded.

Plain Python leaves everything. The continuous run tries compiled code with it, too.
"""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId
from schemas.relations.by_name import NameReader
from schemas.relations.extract import Extractor, with_packs
from schemas.relations.health import LOOKED_AT, health, is_unwell
from schemas.relations.loader import load_catalogue
from schemas.relations.path import ROOT, compile_values, steps_of
from schemas.relations.plan import reader_of
from schemas.relations.pointers import Source
from schemas.relations.quick import Places, listed, written
from schemas.relations.readers import READERS
from schemas.relations.resting import Resting, kept_of, mark_of
from schemas.relations.run import Run
from schemas.relations.silence import SAYS_BY_VALUE
from schemas.relations.surface import builtin_surface
from schemas.ties import DECLARATION
from tests.bench.fleet import Fleet
from tests.bench.full_pods import full_pods
from tests.kit.examples import examples
from tests.unit.relations.reading import EXTRACTOR
from tests.unit.relations.test_hostile_objects import KINDS, WHOLE, spoil
from tests.unit.relations.test_readers import examples_of
from tests.unit.relations.test_resting import changes

CATALOGUE = load_catalogue()
SURFACE = with_packs(builtin_surface(), CATALOGUE)  # once: each extractor would work it out anew
FLEET = [*Fleet(120).bodies(), *full_pods(10)]
IS_COMPILED: Final = written(b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}') is not None
MANAGED = [{"manager": "kubelet", "fieldsV1": {'k:{"type":"Ready"}': {".": {}}, "f:spec": {}}}]
TOKEN = {"sources": [{"configMap": {"name": "ca"}}, {"serviceAccountToken": {"path": "token"}}]}
ONE: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "uid": "u"}}


def as_sent(value: Any) -> bytes:
    """JSON as Go's encoder writes it."""
    said = msgspec.json.encode(value)
    return said.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def line_of(body: Any, what: bytes = b"ADDED") -> bytes:
    return b'{"type":"' + what + b'","object":' + as_sent(body) + b"}"


def read(extractor: Extractor, body: dict[str, Any], line: bytes | None = None) -> ResourceState | None:
    """Its state, when it is read from its bytes."""
    one = written(line_of(body) if line is None else line)
    state = None if one is None else extractor.written(body["apiVersion"], body["kind"], one)
    return None if state is None else state[0]


def assert_alike(body: dict[str, Any], extractor: Extractor = EXTRACTOR) -> None:
    state = read(extractor, body)
    if state is not None:
        assert state == EXTRACTOR.state(copy.deepcopy(body))


def assert_read(body: dict[str, Any]) -> None:
    """Alike, and where it can be it is not left."""
    assert (read(EXTRACTOR, body) is not None) == IS_COMPILED, body
    assert_alike(body)


@given(st.lists(changes(), min_size=1, max_size=3), st.integers(1, 3))
def test_what_is_kept_says_what_reading_all_of_it_says(objects: list[list[dict[str, Any]]], many: int) -> None:
    resting = Extractor(CATALOGUE, SURFACE, Resting(many))
    for bodies in zip(*(one * 7 for one in objects), strict=False):
        for body in bodies:
            assert_alike(body, resting)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_of_any_kind_is_read_from_its_bytes_as_it_is_read_whole(kind: str) -> None:
    for body in examples_of(kind):
        resting = Extractor(CATALOGUE, SURFACE, Resting(10))
        for status in (body.get("status"), {"phase": "Failed"}, {"phase": "Failed", "other": [1.5]}, None):
            assert_alike({**body, "status": status} if status is not None else body, resting)


@settings(max_examples=examples(400))
@given(st.data())
def test_an_example_with_junk_at_any_place_is_read_as_it_is_read_whole(data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(WHOLE)))
    group, _, kind = str(body["kind"]).rpartition("/")
    metadata = {"name": "web", "namespace": "shop", "managedFields": copy.deepcopy(MANAGED), **body.get("metadata", {})}
    body = {**body, "metadata": metadata, "kind": kind}
    body.setdefault("apiVersion", f"{group}/v1" if group else "v1")
    spoil(data, body)
    assert_alike(body)


@settings(max_examples=examples(400))
@given(st.data())
def test_a_line_that_is_broken_anywhere_is_left_or_is_no_less_than_it_was_read_for(data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(FLEET)))
    body["metadata"]["managedFields"] = MANAGED
    line = bytearray(line_of(body))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from(
                [b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"0", b"-", b"1.5", b" ", b"x", b"\xff"]
            )
        )
    one = written(bytes(line))
    if one is None:
        return
    said = msgspec.json.decode(bytes(line))["object"]  # raises for what is no JSON
    metadata = said["metadata"]
    assert (one.name, one.namespace, one.uid, one.resource_version) == tuple(
        metadata.get(name, "") for name in ("name", "namespace", "uid", "resourceVersion")
    )
    if (said.get("apiVersion"), said.get("kind")) == (body["apiVersion"], body["kind"]):
        state = EXTRACTOR.written(body["apiVersion"], body["kind"], one)
        assert state is None or state[0] == EXTRACTOR.state(said)


def test_all_that_clusters_hold_is_read_from_its_bytes() -> None:
    left = {body["kind"] for body in FLEET if read(EXTRACTOR, body) is None}
    assert left == (set() if IS_COMPILED else {body["kind"] for body in FLEET})


@pytest.mark.parametrize("kind", KINDS)
def test_no_example_of_any_kind_is_left(kind: str) -> None:
    for body in examples_of(kind):
        named = {**body, "metadata": {"name": "web", **body["metadata"]}}
        if named["metadata"].get("namespace", "") is not None:
            assert_read(named)


@pytest.mark.parametrize(
    "text",
    [
        'a "b" \\ \b\f\n\r\t',
        "<a> & b",
        "a/b",
        "\x7f",
        "",
    ],
)
def test_a_text_is_read_however_it_is_escaped(text: str) -> None:
    body = {**ONE, "spec": {"containers": [{"name": text, "args": [text]}]}}
    assert read(EXTRACTOR, body) == (EXTRACTOR.state(copy.deepcopy(body)) if IS_COMPILED else None)


@pytest.mark.parametrize(
    "spec",
    [
        b'{"a":1.5}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":12345678901234567890}',
        b'{"a":"\\u00e9"}',
        b'{"a":"\\/"}',
        b'{"a":1,"a":2}',
        b'{"\\n":1}',
        b"[" * 70 + b"]" * 70,
        b"{" + b",".join(b'"%d":1' % one for one in range(65)) + b"}",
    ],
)
def test_what_is_written_in_another_way_is_left_to_be_decoded(spec: bytes) -> None:
    line = line_of(ONE)[:-2] + b',"spec":' + spec + b"}}"
    assert msgspec.json.decode(line)
    assert read(EXTRACTOR, ONE, line) is None


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"name": ""},
        {"name": 7},
        {"name": "a", "uid": None},
        {"name": "é"},
        {"name": "a", "annotations": {"a": 1}},
        {"name": "a", "annotations": []},
        {"name": "a", "annotations": {DECLARATION: "v1:"}},
    ],
)
def test_what_is_not_plainly_named_or_concerns_all_of_it_is_left(metadata: dict[str, Any]) -> None:
    assert written(line_of({**ONE, "metadata": metadata})) is None


@pytest.mark.parametrize("what", [b"DELETED", b"BOOKMARK", b"ERROR", b"added", b""])
def test_another_event_is_left(what: bytes) -> None:
    assert written(line_of(ONE, what)) is None


@pytest.mark.parametrize(
    "line", [b"", b"{", b'{"type":"ADDED","object":', line_of(ONE)[:-1], line_of(ONE) + b" ", b"[]"]
)
def test_a_line_that_ends_too_early_or_too_late_is_left(line: bytes) -> None:
    assert written(line) is None


def test_an_item_of_a_list_says_neither_version_nor_kind() -> None:
    for body in FLEET:
        bare = {name: one for name, one in body.items() if name not in ("apiVersion", "kind")}
        one = listed(as_sent(bare))
        assert (one is not None) == IS_COMPILED
        state = None if one is None else EXTRACTOR.written(body["apiVersion"], body["kind"], one)
        assert state is None or state[0] == EXTRACTOR.state(copy.deepcopy(body))


def test_an_object_that_calls_itself_something_else_is_left() -> None:
    one = written(line_of(ONE))
    assert (one is not None) == IS_COMPILED
    assert one is None or EXTRACTOR.written("v1", "ConfigMap", one) is None


def test_what_a_reader_said_of_a_value_is_not_taken_for_what_it_says_of_another_object() -> None:
    scratch = {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]}
    mirrored = {"reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true"}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", "labelSelector": {}}]}
    container = {"env": [{"name": "A", "value": "http://db:80"}]}
    spread = {"affinity": {"podAntiAffinity": node}, "containers": [container, container]}
    for name, namespace in (("a", "shop"), ("b", "shop"), ("a", "other"), ("c", "other")):
        own = {"name": name, "namespace": namespace}
        assert_read({**ONE, "metadata": own, "spec": scratch})
        assert_read({**ONE, "metadata": own, "spec": spread})
        assert_read({**ONE, "kind": "ConfigMap", "metadata": {**own, "annotations": mirrored}})
        service = {"selector": {"app": "a"}}
        assert_read({**ONE, "kind": "Service", "metadata": own, "spec": service})


@pytest.mark.parametrize("reads", sorted(SAYS_BY_VALUE))
def test_what_is_remembered_of_a_reader_rests_on_nothing_but_value_and_namespace(reads: str) -> None:
    ones = [Source("", "Pod", "shop", name, {"kind": name}, SURFACE) for name in ("a", "b")]
    texts = ["a", "a.b", "a/b", "http://a.b.svc:80", "system:serviceaccount:a:b", "system:serviceaccounts:a"]
    token = {"volumes": [{"projected": {"sources": [{"serviceAccountToken": {}}]}}], "serviceAccountName": "x"}
    rows = [{"name": "DB_HOST", "value": "db"}]
    for value in (*texts, token, rows):
        first, second = ([*READERS[reads](value, KindId("Service"), one)] for one in ones)
        assert first == second


@pytest.mark.parametrize(
    "body",
    [
        {"aaa": 1},
        {"kindx": 1},
        {"apiVersionx": 1, "kin": 2},
        *(
            {"spec": {"volumes": [{"secret": {"secretName": "a", "optional": one}}]}}
            for one in (1, "yes", None, True, False)
        ),
        *(
            {"spec": {"volumes": [{"secret": {"secretName": "a", "items": one}}]}}
            for one in ([{"key": "b"}, {"key": "b"}, {"key": "c"}], [{"key": 7}], {"x": {"key": "b"}}, None, [], [None])
        ),
        *(
            {"spec": {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "key": one}}}]}]}}
            for one in ("b", 7, True, None, "b\n", "", {}, [])
        ),
        *(
            {"spec": {"nodeName": one}}
            for one in ("x" * 253, "x" * 254, "a/b", "a$", "{{a}}", "{a}", "a{", "", "a\n", 7)
        ),
        *(
            {"metadata": {**ONE["metadata"], "ownerReferences": [{"apiVersion": "apps/v1", "kind": "A", **one}]}}
            for one in (
                {"name": "a"},
                {"name": "a", "kind": ""},
                {"name": "a", "kind": 7},
                {"name": "a", "apiVersion": "batch/v1"},
                {"name": "a", "apiVersion": "a&b/v1"},
                {"name": "a", "apiVersion": 7, "uid": 7},
                {"name": "", "uid": "u"},
                {"name": "a<b", "uid": "u<v"},
            )
        ),
        {"status": {"phase": "Failed", "reason": "a"}},
    ],
)
def test_a_pod_that_says_one_thing_is_read_as_it_is_read_whole(body: dict[str, Any]) -> None:
    assert_read({**ONE, **body})


@pytest.mark.parametrize("kind", ["DaemonSet", "", "D<", 7, None])
def test_a_kind_that_is_not_said_is_the_one_that_its_rule_says(kind: Any) -> None:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    spec = {"targetRef": reference, "autoscalerRef": {**reference, "apiVersion": "autoscaling/v2"}}
    assert_read({**ONE, "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "spec": spec})


@pytest.mark.parametrize("namespace", ["other", "", "a<b", 7, None, "a/b", "x" * 300])
def test_a_name_beside_a_namespace_is_read_as_it_is_read_whole(namespace: Any) -> None:
    subject = {"kind": "ServiceAccount", "name": "a", "namespace": namespace}
    for kind in ("Pod", "", "P<", 7, None):
        target = {"kind": kind, "name": "a", "namespace": namespace, "uid": "u"}
        slice_ = {"endpoints": [{"targetRef": target}], "addressType": "IPv4"}
        assert_read({**ONE, "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **slice_})
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": [subject]}
    assert_read({**ONE, **binding})


@pytest.mark.parametrize(
    "text",
    [
        b'"status":{"phase":"x","other":{"\\ud800":1}}',
        b'"status":{"phase":"x","other":1e999}',
        b'"status":{"phase":"Failed","ph\\u0061se":"Running"}',
        b'"status":{"phase":"Failed","phase":"Running"}',
        b'"spec":"\\ud800"',
        b'"aaa":{"a":1,"a":2}',
    ],
)
def test_what_msgspec_refuses_or_reads_in_its_own_way_is_left_or_read_alike(text: bytes) -> None:
    line = line_of(ONE)[:-2] + b"," + text + b"}}"
    try:
        said = msgspec.json.decode(line)["object"]
    except msgspec.MsgspecError:
        said = None
    state = read(EXTRACTOR, ONE, line)
    assert state is None or state == EXTRACTOR.state(said)


@pytest.mark.parametrize(
    "metadata",
    [
        b'"creationTimestamp":"\\ud800"',
        b'"selfLink":1e999',
        b'"selfLink":{"a":1,"a":2}',
        b'"managedFields":{"\\ud800":1}',
        b'"name":"other"',
        b'"resourceVersion":"7","resourceVersion":"8"',
        b'"annotations":{"a":"b","a":"c"}',
    ],
)
def test_metadata_that_says_something_twice_or_strangely_is_left(metadata: bytes) -> None:
    for kind in ("Pod", "Secret"):
        body = {**ONE, "kind": kind}
        line = line_of(body).replace(b'"uid":"u"', b'"uid":"u",' + metadata)
        assert written(line) is None or metadata.split(b":")[0] not in (
            b'"name"',
            b'"resourceVersion"',
        )  # which are known before it is read
        assert read(EXTRACTOR, body, line) is None


def test_a_secret_with_numbers_or_maps_at_its_top_is_left() -> None:
    for more in ({"foo": {"k": 1.5}}, {"foo": {"k": {}}}):
        assert read(EXTRACTOR, {**ONE, "kind": "Secret", **more}) is None
    assert_read({**ONE, "kind": "Secret", "data": {"b": "x", "a": "y"}, "type": "Opaque"})


def test_an_object_of_many_fields_is_left_at_once() -> None:
    assert written(line_of({**ONE, **{f"a{number}": 1 for number in range(100_000)}})) is None


def test_objects_that_differ_in_whose_field_it_is_or_in_their_version_are_not_the_same() -> None:
    resting = Extractor(CATALOGUE, SURFACE, Resting(10))
    labelled = {**ONE, "metadata": {**ONE["metadata"], "labels": {"a": "b"}}}
    for body in (labelled, {**ONE, "labels": {"a": "b"}}, labelled):
        assert_alike(body, resting)
    spec = {"spec": {}, "metadata": ONE["metadata"]}
    for version in ("apps/v1", "apps/v1beta1"):
        one = listed(as_sent(spec))
        state = None if one is None else resting.written(version, "Deployment", one)
        assert state is None or state[0] == EXTRACTOR.state({"apiVersion": version, "kind": "Deployment", **spec})


def test_a_rule_that_looks_in_the_namespace_called_like_its_object_says_something_of_each(
    tmp_path: Path,
) -> None:
    rule = "{rule: widget.own, at: spec, to: {kind: Secret, name: a, called: my-*, namespace: self}, phases: [L]}"
    file = tmp_path / "mine.yaml"
    file.write_text(f"area: mine\nmounts:\n  - kinds: [example.com/Widget]\n    rules:\n      - {rule}\n")
    extractor = Extractor(load_catalogue([file]), SURFACE)
    for name in ("one", "two"):
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"a": "b"}}
        whole, state = extractor.state(copy.deepcopy(widget)), read(extractor, widget)
        assert [one.target for one in whole.references if one.rule == "widget.own"] == [f"Secret/{name}/my-b"]
        assert state is None or state == whole


@pytest.mark.parametrize("more", [{}, {"kind": "Widget"}])
def test_fields_of_a_kind_with_many_are_read_in_the_order_in_which_they_are_when_it_is_decoded(
    more: dict[str, str], tmp_path: Path
) -> None:
    fields = ("alpha", "data", "spec", "xx", "zz", "metadata")
    rules = "".join(
        f"      - {{rule: widget.{one}, at: {one}, to: {{kind: Secret, name: secretName}}, phases: [L]}}\n"
        for one in fields
    )
    file = tmp_path / "mine.yaml"
    file.write_text(f"area: mine\nmounts:\n  - kinds: [example.com/Widget]\n    rules:\n{rules}")
    catalogue = load_catalogue([file])
    body = {one: {"secretName": f"of-{one}"} for one in sorted(fields)}
    body["metadata"] |= {"name": "w", "namespace": "shop"}
    wide = {**dict(sorted({**body, "apiVersion": "example.com/v1", "kind": "Widget"}.items())), **more}
    state = read(Extractor(catalogue, SURFACE), wide)
    first = {name: wide[name] for name in ("apiVersion", "kind", "metadata")}
    whole = Extractor(catalogue, SURFACE).state({**first, **wide})
    assert len(whole.references) > len(fields)
    assert state is None or state == whole


def test_its_mark_is_of_what_people_change() -> None:
    def mark(**metadata: Any) -> int:
        body = {**ONE, "metadata": {**ONE["metadata"], **metadata}}
        one = written(line_of(body))
        if one is not None:
            return one.mark("v1", "Pod")
        fields = {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}
        return mark_of({}, fields, kept_of(body["metadata"]))

    assert mark() == mark(generation=7, resourceVersion="8", managedFields=MANAGED, selfLink="/x", uid="v")
    assert mark() == mark(creationTimestamp="2026-01-01T00:00:00Z", deletionTimestamp="2026-01-01T00:00:00Z")
    others = ({"labels": {"a": "b"}}, {"annotations": {"a": "b"}}, {"name": "x"}, {"finalizers": ["a"]})
    assert len({mark(), *(mark(**one) for one in others)}) == 5


def test_a_change_of_the_status_alone_gives_the_very_same_references() -> None:
    resting = Extractor(CATALOGUE, SURFACE, Resting(10))
    body = next(one for one in FLEET if one["kind"] == "Pod")
    again = {**body, "status": {**body.get("status", {}), "phase": "Failed"}}
    first, second = read(resting, body), read(resting, again)
    if first is not None and second is not None:
        assert second.references is first.references
        assert second == EXTRACTOR.state(again)


STATUS_FIELDS = st.sampled_from([*LOOKED_AT, "replicas", "message"])
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Ready", "Available", "Stalled", "Failed", "Reconciling", "Progressing"]),
            "status": st.sampled_from(["True", "False", "Unknown"]),
        }
    ),
    max_size=3,
)


@given(
    st.sampled_from(["Pod", "Deployment", "ReplicaSet", "DaemonSet", "PersistentVolumeClaim", "Node", "Job"]),
    st.dictionaries(STATUS_FIELDS, st.integers(0, 3) | st.sampled_from(["Bound", "Failed", "Lost"]) | CONDITIONS),
)
def test_health_looks_at_no_more_of_a_status_than_it_says(kind: str, status: dict[str, Any]) -> None:
    status = {name: one for name, one in status.items() if isinstance(one, list) == (name == "conditions")}
    status = {name: one for name, one in status.items() if isinstance(one, str) == (name in ("phase", "message"))}
    part = {name: one for name, one in status.items() if name in LOOKED_AT}
    metadata = {"generation": 2}
    assert health(kind, 2, metadata, status) == health(kind, 2, metadata, part)
    assert is_unwell(kind, status) == is_unwell(kind, part)


@given(
    st.lists(
        st.sampled_from(["", "Pod", "Pod/a", "Pod/shop/a", "Pod/shop/b", "Secret/shop/é", "x.io/Y/\N{SNOWMAN}/a"])
    ),
    st.sets(st.sampled_from(["", "Pod", "Pod/shop", "Secret/shop", "x.io/Y/\N{SNOWMAN}"])),
)
def test_targets_are_in_the_places_that_are_known_or_not(targets: list[str], known: set[str]) -> None:
    references = tuple(Reference("a", "b", "reliance", "L", ResourceId(one)) for one in targets)
    places = Places()
    for place in known:
        places.add(place)
    for _ in range(2):
        assert places.unplaced(references) == [one for one in targets if one.rpartition("/")[0] not in known]
    assert len(places) == len(known)
    places.clear()
    assert (places.unplaced(references), len(places)) == (targets, 0)


SAID = st.recursive(
    st.sampled_from(["", "a", "<b>", "a & b", '"', "\\", "a\nb", "\u2028", 7, True, None]),
    lambda deeper: (
        st.lists(deeper, max_size=3)
        | st.dictionaries(st.sampled_from(["", "a", "ab", "b", "Z", "kind", "metadata", "!"]), deeper, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["aa", "data", "kinds", "spec", "status", "z", "apiV"]), SAID), st.randoms())
def test_the_digest_is_of_fields_in_order_however_they_come(fields: dict[str, Any], randomness: Random) -> None:
    body = {**ONE, **fields}
    names = list(body)
    randomness.shuffle(names)
    assert_alike({name: body[name] for name in names})


ACCOUNTS = st.none() | st.sampled_from(["default", "web", "a/b", "\u00e9", 7])


@given(ACCOUNTS, ACCOUNTS, st.lists(st.sampled_from([{}, {"name": "t", "projected": TOKEN}, None]), max_size=3))
def test_of_a_long_pod_that_names_its_account_in_both_ways_all_is_read(
    name: Any, legacy: Any, volumes: list[Any]
) -> None:
    spec: dict[str, Any] = {"containers": [{"name": "web", "args": ["x" * 3000]}], "volumes": volumes}
    said = {"serviceAccountName": name, "serviceAccount": legacy}
    for _ in range(2):
        assert_alike({**ONE, "spec": {**spec, **{field: one for field, one in said.items() if one is not None}}})


@pytest.mark.parametrize("kind", [*KINDS, "Pod"])
def test_a_reader_of_names_looks_at_no_more_of_a_value_than_its_rule_says(kind: str) -> None:
    for mounted in CATALOGUE.rules.get(KindId(kind), ()):
        for place in mounted.at:
            reader = reader_of(mounted.rule, ROOT.deeper(place), KindId(kind), SURFACE)
            fields, items = mounted.rule.looked_at, (0,) * steps_of(place).count(None)
            if not isinstance(reader, NameReader) or reader.looks_around or fields is None:
                continue
            for body in (*examples_of(kind), *FLEET):
                for value in compile_values(place)(body):
                    if isinstance(value, dict):
                        part = {name: one for name, one in value.items() if name in fields}
                        ways = [Run("shop", "web", body, [], [], ResourceId(""), {}, {}) for _ in "ab"]
                        for run, one in zip(ways, (value, part), strict=True):
                            reader.reading()(one, items, run)
                        assert ways[0].found == ways[1].found, mounted.rule.rule


@given(st.lists(st.dictionaries(st.sampled_from(["app", "tier", "x" * 600]), st.sampled_from("ab")), max_size=8))
def test_labels_that_were_met_before_say_what_they_say(labels: list[dict[str, str]]) -> None:
    for one in labels:
        body = {**ONE, "metadata": {**ONE["metadata"], "labels": one}}
        assert_read(body)
        state = read(EXTRACTOR, body)
        assert state is None or state.labels == one


def test_plain_python_leaves_everything() -> None:
    assert IS_COMPILED or (written(line_of(ONE)), listed(as_sent(ONE))) == (None, None)
