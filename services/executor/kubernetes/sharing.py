"""To whom an object is shared: a word under a field manager of its own, forced, for nobody else has a say in it.

dry run ──▶ with the word that is there ──▶ what came of it, as if it had been written with the new one
write   ──▶ the word first, then all else with the same word: of two managers that say the same, none is in conflict
"""

from __future__ import annotations

from schemas.ties import SHARED_TO
from services.executor.kubernetes import manifests
from services.executor.kubernetes.cluster import Cluster
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.resources import Place


def word_of(body: Object) -> str | None:
    """The sites; "": nobody any more; None: nothing is said."""
    return manifests.annotations_of(body).get(SHARED_TO)


def as_it_is(wanted: Object, live: Object | None) -> Object:
    """The same, with the word that is there; where nothing is there, with its own if that says anything."""
    word = word_of(wanted)
    return wanted if word is None else _with_word(wanted, word if live is None else word_of(live))


def as_wanted(made: Object, wanted: Object) -> Object:
    """What came of a dry run with the word that is there, as it will be with the one that is wanted."""
    word = word_of(wanted)
    return made if word is None else _with_word(made, word)


def shared_as(before: Object, ours: Object) -> Object:
    """What we had declared of an object, with the word that was there then, whoever had written it."""
    annotations = {**manifests.annotations_of(ours), SHARED_TO: word_of(before) or ""}
    return {**ours, "metadata": {**ours["metadata"], "annotations": annotations}}


def says_another_word(wanted: Object, live: Object) -> bool:
    """Whether it is to be shared to others than it is."""
    word = word_of(wanted)
    return word is not None and word != (word_of(live) or "")


def _with_word(body: Object, word: str | None) -> Object:
    kept = {name: text for name, text in manifests.annotations_of(body).items() if name != SHARED_TO}
    metadata = {name: value for name, value in body["metadata"].items() if name != "annotations"}
    annotations = {**kept, SHARED_TO: word} if word else kept
    return {**body, "metadata": {**metadata, "annotations": annotations} if annotations else metadata}


async def share(cluster: Cluster, place: Place, wanted: Object, live: Object) -> Object:
    """The object with the word that is wanted. One that says nothing is made ours and then let go of: it is gone.

    Written twice it is the same; a write rests on the version that was seen.
    """
    known = word_of(live)  # "": an earlier try has not let go of it
    word = word_of(wanted)
    text = (known or "") if word is None else word
    if text == (known or "") and known != "":
        return live
    for words in [{SHARED_TO: text}] if text else [{SHARED_TO: text}, {}]:
        name = {one: wanted["metadata"][one] for one in ("name", "namespace") if one in wanted["metadata"]}
        metadata = {**name, "annotations": words, "resourceVersion": manifests.version_of(live)}
        head = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"]}
        live = await cluster.mark(place, {**head, "metadata": metadata})
    return live
