"""The words on resources by which sites belong together: they survive the loss of everything else. Pure.

One makes a ConfigMap hold rules of relationships (schemas/relations/carried.py), two speak to the gate before an API
server (services/resolver/gate.py).

cheops.io/shared-from   label of a copy: the site of its original
cheops.io/shared-to     annotation of an original: the sites that have a copy, by commas
cheops.io/replica-set   label of what is the same at several sites: the identity of the set
cheops.io/replicas      annotation beside it: the sites of the set, by commas
cheops.io/part-of       label of what is one resource spread over several sites: the identity of the whole
cheops.io/parts         annotation beside it: `lyon=3,oslo=1`, how much of it is where; of a namespace the sites alone
cheops.io/scope         annotation beside it: how it was divided, weights and options: `lyon*3 % oslo {prime: lyon}`
cheops.io/declared      annotation of replicas and parts: when and by which intent they were written, to order updates
cheops.io/declaration   annotation of replicas, parts and copies: all that was declared of them
cheops.io/rules         label "true" of a ConfigMap whose values are rule files
cheops.io/protected     label "true": what nobody knows enough about to judge it may not be done to it
cheops.io/override      annotation: the codes that do not keep anybody from changing or deleting it, `D310,D311`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName, is_site_name
from schemas.untyped import mapping_of

SHARED_FROM: Final = "cheops.io/shared-from"
SHARED_TO: Final = "cheops.io/shared-to"
REPLICA_SET: Final = "cheops.io/replica-set"
REPLICAS: Final = "cheops.io/replicas"
PART_OF: Final = "cheops.io/part-of"
PARTS: Final = "cheops.io/parts"
SCOPE: Final = "cheops.io/scope"
DECLARED: Final = "cheops.io/declared"
DECLARATION: Final = "cheops.io/declaration"
RULES: Final = "cheops.io/rules"
DIGITS_MAX: Final = 19  # of 2^63 - 1
PROTECTED: Final = "cheops.io/protected"
OVERRIDE: Final = "cheops.io/override"
# Facts of every kind (schemas/relations/catalogue/kubernetes/meta.yaml) that read the annotations.
SHARED_TO_FACT: Final = "shared_to"
REPLICAS_FACT: Final = "replicas_at"
PARTS_FACT: Final = "parts_at"
SCOPE_FACT: Final = "declared_scope"
DECLARED_FACT: Final = "declared"
OVERRIDE_FACT: Final = "override"
LAST_S: Final = 253_402_300_799.0  # the end of the year 9999, where a datetime ends
COUNTER_BITS: Final = 16  # of a stamp: below them a counter, above them the milliseconds of a wall clock
RULES_FACT: Final = "rules"  # the watcher's own: the rule files of a ConfigMap (schemas/relations/carried.py)
RULES_BEFORE_FACT: Final = "rules_before"  # and what of them holds in place of files that cannot be used any more
DRIFT_FACT: Final = "drift"  # the watcher's own: what of the object differs from its declaration
FACTS: Final = {SHARED_TO: SHARED_TO_FACT, REPLICAS: REPLICAS_FACT, PARTS: PARTS_FACT, SCOPE: SCOPE_FACT}
WORDS_IN: Final = {"labels": (REPLICA_SET, PART_OF), "annotations": (SHARED_TO, REPLICAS, PARTS, SCOPE)}
ID_BYTES: Final = 10


def set_id(resource: ResourceId) -> str:
    """The identity of a set: the resource's own, as a word that a label can hold."""
    return hashlib.blake2s(resource.encode(), digest_size=ID_BYTES).hexdigest()


def share_in(text: str) -> int | None:
    """What stands behind the `=` of `lyon=3`; None for what is no number, or longer than any of Kubernetes."""
    digits = text.strip()
    return int(digits) if digits.isdecimal() and len(digits) <= DIGITS_MAX else None


def sites_in(text: object) -> tuple[SiteName, ...]:
    """`lyon,oslo` or `lyon=3,oslo=1` → the sites; what no site can be called, somebody else has written."""
    words = (word.partition("=")[0].strip() for word in text.split(",")) if isinstance(text, str) else ()
    return tuple(SiteName(word) for word in dict.fromkeys(words) if is_site_name(word))


def shared_to(state: ResourceState) -> tuple[SiteName, ...]:
    """The sites that have a copy of it."""
    return sites_in(state.facts.get(SHARED_TO_FACT))


def shared_from(state: ResourceState) -> SiteName | None:
    """The site of its original, when it is a copy."""
    found = state.labels.get(SHARED_FROM)
    return SiteName(found) if found else None


def replicas_at(state: ResourceState) -> tuple[SiteName, ...]:
    """The sites of its replica set, or of its parts."""
    facts = state.facts
    return sites_in(facts.get(REPLICAS_FACT)) if REPLICA_SET in state.labels else sites_in(facts.get(PARTS_FACT))


def is_member(state: ResourceState) -> bool:
    """Whether it is one of several: a replica, or a part."""
    return REPLICA_SET in state.labels or PART_OF in state.labels


def is_tied_body(body: Mapping[str, Any]) -> bool:
    """Whether an object is a replica, a part or a copy."""
    labels = (body.get("metadata") or {}).get("labels") or {}
    return any(word in labels for word in (REPLICA_SET, PART_OF, SHARED_FROM))


def is_declared(state: ResourceState) -> bool:
    """Whether it is a replica, a part or a copy: it is as it was declared, or has drifted."""
    return is_member(state) or SHARED_FROM in state.labels


def drift(state: ResourceState) -> str:
    """What differs from what was declared; "" when nothing does."""
    return str(state.facts.get(DRIFT_FACT) or "")


def declared(state: ResourceState) -> tuple[int, str]:
    """When it was declared (hybrid logical clock) and by which intent; (0, "") when it does not say."""
    stamp, _, intent = str(state.facts.get(DECLARED_FACT) or "").partition(".")
    try:
        return int(stamp, 16), intent
    except ValueError:
        return 0, ""


def first_stamp(wall: datetime) -> int:
    """The first stamp of a moment (services/resolver/across/order.py)."""
    return int(wall.timestamp() * 1000) << COUNTER_BITS


def time_of(stamp: int) -> datetime:
    """The moment that a stamp was made in, by the clock that made it; the last of all for what no clock can say."""
    return datetime.fromtimestamp(min((stamp >> COUNTER_BITS) / 1000, LAST_S), UTC)


def listed(sites: Iterable[str]) -> str:
    """The value of an annotation."""
    return ",".join(sorted(set(sites)))


def with_words(
    body: Mapping[str, Any], labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The object, carrying these besides its own."""
    metadata = {**mapping_of(body.get("metadata"))}
    for name, words in (("labels", labels), ("annotations", annotations)):
        if words:
            metadata[name] = {**mapping_of(metadata.get(name)), **words}
    return {**body, "metadata": metadata}
