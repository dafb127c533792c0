"""The keys that a Secret or a ConfigMap will have, as it or its maker says; nothing when only a provider knows. Pure.

Source of the rules: external-secrets (`applyTemplate` of its controller), cert-manager (keys of its Secrets),
Kubernetes (tokens controller), OpenShift (service-ca and network operator), kubernetes-secret-generator,
kubernetes-replicator and Reflector (annotations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.untyped import mapping_of, rows_of

OF_CERTIFICATES: Final = ("tls.crt", "tls.key", "ca.crt")
OF_STORES: Final = {"jks": ("keystore.jks", "truststore.jks"), "pkcs12": ("keystore.p12", "truststore.p12")}
OF_TOKENS: Final = {"kubernetes.io/service-account-token": ("token", "ca.crt", "namespace")}  # by type
OF_ANNOTATIONS: Final = {
    "service.beta.openshift.io/inject-cabundle": ("service-ca.crt",),
    "service.alpha.openshift.io/inject-cabundle": ("service-ca.crt",),
}  # those and labels: when they are "true"
OF_LABELS: Final = {"config.openshift.io/inject-trusted-cabundle": ("ca-bundle.crt",)}
GENERATED: Final = "secret-generator.v1.mittwald.de/autogenerate"  # keys, by commas
GENERATED_TYPE: Final = "secret-generator.v1.mittwald.de/type"
OF_TYPES: Final = {"ssh-keypair": ("ssh-privatekey", "ssh-publickey"), "basic-auth": ("username", "password", "auth")}
COPIED: Final = ("replicator.v1.mittwald.de/replicate-from", "reflector.v1.k8s.emberstack.com/reflects")
ANY_KEY: Final = "*"
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


def annotated_keys(annotations: Any) -> Iterator[str]:
    """Of what somebody fills by its annotations; `ANY_KEY` when it gets those of another object."""
    said = mapping_of(annotations)
    if any(said.get(one) for one in COPIED):
        yield ANY_KEY
    yield from _injected(said, OF_ANNOTATIONS)
    yield from OF_TYPES.get(str(said.get(GENERATED_TYPE)), ())
    yield from (one.strip() for one in str(said.get(GENERATED) or "").split(",") if one.strip())


def labelled_keys(labels: Any) -> Iterator[str]:
    """The same by its labels."""
    yield from _injected(mapping_of(labels), OF_LABELS)


def _injected(said: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name, keys in known.items():
        if said.get(name) == "true":
            yield from keys


def token_keys(kind: Any) -> Iterator[str]:
    """Of a Secret of this type: Kubernetes fills it in, at once."""
    yield from OF_TOKENS.get(str(kind), ())
