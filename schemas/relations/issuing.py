"""Ingresses and Gateways that ask cert-manager for certificates by an annotation → the Secrets that it makes. Pure.

Read as cert-manager reads them (cert-manager, pkg/controller/certificate-shim/sync.go): what names no host gets none,
and the old word for it counts for Ingresses only, whose issuer is a setting of cert-manager then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.identity import KindId
from schemas.relations.pointers import Pointer, Source
from schemas.untyped import mapping_of, rows_of

ISSUERS: Final = ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer")
OLD: Final = "kubernetes.io/tls-acme"
TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
SECURE: Final = ("HTTPS", "TLS")


def read_issued(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Of the `spec` of an Ingress or a Gateway."""
    if not _asks(source):
        return
    spec = mapping_of(value)
    for place, tls in enumerate(rows_of(spec.get("tls"))):
        name = tls.get("secretName")
        if name and isinstance(name, str) and tls.get("hosts"):
            yield Pointer(kind, name, suffix=f".tls[{place}].secretName")
    for place, listener in enumerate(rows_of(spec.get("listeners"))):
        for name, suffix in _of_listener(listener, source):
            yield Pointer(kind, name, suffix=f".listeners[{place}]{suffix}")


def _asks(source: Source) -> bool:
    notes = mapping_of(mapping_of(source.body.get("metadata")).get("annotations"))
    if any(one in notes for one in ISSUERS):
        return True
    return source.kind == "Ingress" and notes.get(OLD) in TRUE


def _of_listener(listener: Mapping[str, Any], source: Source) -> Iterator[tuple[str, str]]:
    """Names, and where they stand."""
    tls = mapping_of(listener.get("tls"))
    is_ended_here = listener.get("protocol") in SECURE and tls.get("mode", "Terminate") == "Terminate"
    if not is_ended_here or not listener.get("hostname"):
        return
    for place, one in enumerate(rows_of(tls.get("certificateRefs"))):
        is_near = one.get("namespace", source.namespace) == source.namespace
        is_secret = one.get("kind", "Secret") == "Secret" and not one.get("group")
        name = one.get("name")
        if is_near and is_secret and isinstance(name, str):
            yield name, f".tls.certificateRefs[{place}].name"
