"""Text → identity → text. Pure.

A resource is named `[group/]Kind/[namespace/]name` everywhere a person or a message names it. On the wire and in
the graph it stays that one string (`ResourceId`): it is hashed once and compared fast; `ResourceKey` is its
parsed form for whoever needs the parts. A kind is named `[group/]Kind` (`KindId`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

SiteName = NewType("SiteName", str)
ResourceId = NewType("ResourceId", str)
KindId = NewType("KindId", str)

SITE_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"  # a DNS label: it becomes a host name and a subject token
_SITE_NAME = re.compile(SITE_NAME_PATTERN)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, halves of a UTF-16 pair
NAME_LEN_MAX = 253  # Kubernetes: a DNS subdomain
IDENTITY_LEN_MAX = 1024
PARSED_MAX = 2_048  # keys that are remembered: one decision parses the same few names again and again


class IdentityError(ValueError):
    """A text that does not name a site, a kind or a resource; the message says what was expected."""


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """The parts of a resource's identity; `group` is "" for the core group, `namespace` is "" when cluster-scoped."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    @lru_cache(PARSED_MAX)
    def parse(cls, text: str) -> ResourceKey:
        """`[group/]Kind/[namespace/]name` → key. A kind starts with a capital letter and a group does not.

        Few definitions call their kinds otherwise (`acid.zalan.do/postgresql`): their groups, as of all, have a dot.
        """
        if not text or len(text) > IDENTITY_LEN_MAX or _UNPRINTABLE.search(text):
            raise IdentityError(f"not a resource identity: {text[:80]!r} (expected [group/]Kind/[namespace/]name)")
        parts = text.split("/")
        group = "" if parts[0][:1].isupper() else parts.pop(0)
        if not 2 <= len(parts) <= 3 or not all(parts) or not is_kind_name(parts[0], group):
            raise IdentityError(f"not a resource identity: {text[:80]!r} (expected [group/]Kind/[namespace/]name)")
        return cls(group, parts[0], parts[1] if len(parts) == 3 else "", parts[-1])

    @property
    def id(self) -> ResourceId:
        """The one string that names this resource on the wire and in the graph."""
        return resource_id(self.group, self.kind, self.namespace, self.name)

    @property
    def kind_id(self) -> KindId:
        """`[group/]Kind` of this resource."""
        return kind_id(self.group, self.kind)

    def __str__(self) -> str:
        return self.id


def is_kind_name(name: str, group: str) -> bool:
    """Whether a kind of this group can be called so in an identity."""
    return name[:1].isupper() or ("." in group and name[:1].isalpha())


def resource_id(group: str, kind: str, namespace: str, name: str) -> ResourceId:
    """The identity string of the parts; empty group and namespace leave no trace."""
    head = f"{group}/{kind}" if group else kind
    return ResourceId(f"{head}/{namespace}/{name}" if namespace else f"{head}/{name}")


def kind_id(group: str, kind: str) -> KindId:
    """`apps/Deployment`, or `Secret` for the core group."""
    return KindId(f"{group}/{kind}" if group else kind)


def split_kind(kind: KindId) -> tuple[str, str]:
    """`[group/]Kind` → (group, kind)."""
    group, _, name = kind.rpartition("/")
    return group, name


def kind_of(resource: ResourceId) -> KindId:
    """`[group/]Kind` of an identity string, without parsing the rest (hot path)."""
    first, _, rest = resource.partition("/")
    return KindId(first if first[:1].isupper() else f"{first}/{rest.partition('/')[0]}")


def is_site_name(text: str) -> bool:
    """Whether a site can be called so."""
    return _SITE_NAME.fullmatch(text) is not None  # `$` alone would let a line feed at the end pass


def site_name(text: str) -> SiteName:
    """A checked site name (a DNS label); raises IdentityError."""
    if not is_site_name(text):
        raise IdentityError(f"not a site name: {text[:80]!r} (expected a DNS label: a-z, 0-9 and '-', at most 63)")
    return SiteName(text)
