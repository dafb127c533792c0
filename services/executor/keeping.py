"""What a step replaces is kept before it is written, sealed for ourselves: an undo needs it, nobody else may read it.

    live object ── JSON, zlib ── libsodium's sealed box ──▶ `cheops-kept:v1:<key>:<base64>`, in the outcome

It stands in the outcome `begun`, stored before the write; so whoever is killed in between has lost nothing.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox

from schemas.deflating import deflated
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.ties import WORDS_IN
from services.chassis.kubernetes.sealing import KEY_NAME_LEN, SealError
from services.executor.sealing import Keyring
from services.executor.target import Effect, Manifest

KEPT: Final = "cheops-kept:v1:"


def keep(live: Manifest, keys: Keyring) -> str:
    """Only this site's executor can open it."""
    packed = deflated(json.dumps(live, separators=(",", ":")).encode())
    key = keys.public
    box = SealedBox(PublicKey(bytes.fromhex(key)))
    return f"{KEPT}{key[:KEY_NAME_LEN]}:{base64.b64encode(box.encrypt(packed)).decode()}"


def kept(text: str, keys: Keyring) -> Manifest:
    """The object as it was. Raises SealError when its key is gone."""
    name, _, body = text.removeprefix(KEPT).partition(":")
    found = keys.private(name)
    if found is None:
        raise SealError(f"what was there before is sealed for a key that is gone ({name[:KEY_NAME_LEN]})")
    try:
        made: Manifest = json.loads(zlib.decompress(SealedBox(found).decrypt(base64.b64decode(body, validate=True))))
    except (CryptoError, ValueError, zlib.error) as error:
        raise SealError("what was there before cannot be opened") from error
    return made


def concrete(undo: Operation, forward: Outcome | None, keys: Keyring) -> Operation | Effect:
    """The write that takes `forward` back, with what that one kept; or why there is none. Raises nothing."""
    if undo.action == "delete":
        return undo
    if forward is None or not forward.former:
        return Effect("failed", False, f"what {undo.undoes} replaced was not kept")
    try:
        before = kept(forward.former, keys)
    except SealError as error:
        return Effect("failed", False, str(error))
    version = str(before.get("apiVersion") or "v1").rpartition("/")[2]
    manifest = _words_before(before) if undo.action == "annotate" else before
    return undo.model_copy(update={"manifest": manifest, "version": version})


def _words_before(before: Manifest) -> Manifest:
    metadata: dict[str, Any] = {name: before["metadata"].get(name) for name in ("name", "namespace")}
    for where, names in WORDS_IN.items():
        words = before["metadata"].get(where) or {}
        metadata[where] = {name: words.get(name, "") for name in names}
    metadata = {name: value for name, value in metadata.items() if value is not None}
    return {"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": metadata}
