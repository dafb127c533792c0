"""Secrets between sites: each value sealed for one executor, key names left readable, so that all may judge. Pure.

    plain value ── libsodium's sealed box (X25519, XSalsa20-Poly1305; PyNaCl) ──▶ `cheops-sealed:v1:<key>:<base64>`

Only the executor that has the private half opens it, to try it or to apply it (services/executor/sealing.py).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from services.chassis.errors import PermanentError

SEALED: Final = "cheops-sealed:v1:"
FIELDS: Final = ("data", "stringData")
KEY_NAME_LEN: Final = 16  # of its hexadecimal digits, as the name of a key in what was sealed with it
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"  # it repeats the values
Manifest = dict[str, Any]


class SealError(PermanentError):
    """Cannot be sealed, or not be opened here."""


def is_secret(manifest: Mapping[str, Any]) -> bool:
    """Whether it has values that must not be read on the way."""
    return manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1"


def sealed(manifest: Manifest, key: str) -> Manifest:
    """A Secret with each value sealed for the owner of `key` (hexadecimal); what is sealed already stays as it is.

    Raises SealError for a key that is none.
    """
    if not is_secret(manifest):
        return manifest
    try:
        box = SealedBox(PublicKey(bytes.fromhex(key)))
    except (ValueError, TypeError, CryptoError) as error:
        raise SealError("no key to seal a Secret with") from error

    def seal(value: Any) -> Any:
        if not isinstance(value, str) or value.startswith(SEALED):
            return value
        return f"{SEALED}{key[:KEY_NAME_LEN]}:{base64.b64encode(box.encrypt(value.encode())).decode()}"

    return _changed(manifest, seal)


def opened(manifest: Manifest, keys: Mapping[str, PrivateKey]) -> Manifest:
    """The same with its values; `keys` by the names that stand in what is sealed. Raises SealError."""
    if not is_secret(manifest):
        return manifest

    def open_(value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(SEALED):
            return value
        name, _, text = value.removeprefix(SEALED).partition(":")
        if name not in keys:
            raise SealError(f"a value is sealed for another key ({name[:KEY_NAME_LEN]})")
        try:
            return SealedBox(keys[name]).decrypt(base64.b64decode(text, validate=True)).decode()
        except (CryptoError, ValueError) as error:
            raise SealError("a sealed value cannot be opened") from error

    return _changed(manifest, open_)


def public_half(key: PrivateKey) -> str:
    """What others seal with."""
    return bytes(key.public_key).hex()


def _changed(manifest: Manifest, change: Any) -> Manifest:
    made = dict(manifest)
    for field in FIELDS:
        if isinstance(manifest.get(field), Mapping):
            made[field] = {name: change(value) for name, value in manifest[field].items()}
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if isinstance(annotations, Mapping) and _LAST_APPLIED in annotations:
        kept = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
        made["metadata"] = {**metadata, "annotations": kept} if isinstance(metadata, Mapping) else metadata
    return made
