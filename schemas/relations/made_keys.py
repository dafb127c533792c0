"""The keys that a Secret will have, as whoever makes it says it; nothing when only a provider knows. Pure.

Source of the rules: external-secrets (`applyTemplate` of its controller) and cert-manager (keys of its Secrets).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.untyped import mapping_of, rows_of

OF_CERTIFICATES: Final = ("tls.crt", "tls.key", "ca.crt")
OF_STORES: Final = {"jks": ("keystore.jks", "truststore.jks"), "pkcs12": ("keystore.p12", "truststore.p12")}
OF_FORMATS: Final = {"CombinedPEM": "tls-combined.pem", "DER": "key.der"}


def external_keys(body: Any) -> Iterator[str]:
    """Of an ExternalSecret: those of its template, and what it fetches when there is none or both are merged."""
    spec = mapping_of(mapping_of(body).get("spec"))
    template = mapping_of(mapping_of(spec.get("target")).get("template"))
    data, others = mapping_of(template.get("data")), template.get("templateFrom")
    is_fetched = not (data or others) or template.get("mergePolicy") == "Merge"
    if others or (is_fetched and spec.get("dataFrom")):
        return
    yield from map(str, data)
    for row in rows_of(spec.get("data")) if is_fetched else ():
        key = row.get("secretKey")
        if isinstance(key, str):
            yield key


def certificate_keys(body: Any) -> Iterator[str]:
    """Of a Certificate: three, and those of the stores and formats that it asks for."""
    spec = mapping_of(mapping_of(body).get("spec"))
    yield from OF_CERTIFICATES
    stores = mapping_of(spec.get("keystores"))
    for name, keys in OF_STORES.items():
        if stores.get(name):
            yield from keys
    for row in rows_of(spec.get("additionalOutputFormats")):
        key = OF_FORMATS.get(str(row.get("type")))
        if key is not None:
            yield key
