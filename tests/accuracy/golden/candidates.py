"""An object with every field filled → the paths that look like references, by the words of the fields alone.

Nothing here knows our rules: a field counts when its name is that of a name, a reference, a selector, a class … What of
these is no reference is said in not_references.yaml, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_NAME: Final = re.compile(
    r"(^n|N)ames?$|Refs?$|^ref$|[cC]lass$|^(driver|attacher|provisioner|endpoints|pool|reference|claim|volume)$"
    r"|^(serviceAccount|namespaces|controller|username|users?|groups?|subjects|target|related|regarding|involvedObject)$"
    r"|^(service|secret|configMap|secrets|configMaps|policy|signer|uid|kind)$|UID$|^topologyKey$|Identity$"
)
_SELECTOR: Final = re.compile(r"[sS]electors?$|^nodeSelectorTerms$|^preference$|^nodeTopology$")
# Fields that say which kind, group or incarnation is meant by the name beside them.
COMPANIONS: Final = frozenset(("kind", "apiVersion", "apiGroup", "group", "resource", "version", "uid"))


def candidates(body: dict[str, Any]) -> Iterator[str]:
    """`spec.volumes[].secret.secretName`, in the order of the object; a selector is one path."""
    for name, value in body.items():
        if name not in ("apiVersion", "kind"):
            yield from _below(value, name, name)


def _below(value: Any, path: str, name: str) -> Iterator[str]:
    if _SELECTOR.search(name) and isinstance(value, (dict, list)):
        yield path + ("[]" if isinstance(value, list) else "")
    elif isinstance(value, dict):
        for inner, one in value.items():
            yield from _below(one, f"{path}.{inner}", inner)
    elif isinstance(value, list):
        for one in value[:1]:
            yield from _below(one, f"{path}[]", name)
    elif isinstance(value, str) and _NAME.search(name):
        yield path


def parent_of(path: str) -> str:
    """The path of the object that a field stands in."""
    return path.rpartition(".")[0]
