"""Text of an env value or an argument → the Services that it names (row 18). Pure; a guess, so it may only warn.

Counted: `name:port`, `name.namespace.svc[.cluster.local][:port]`, `scheme://name[:port]/…`, `name.namespace:port`,
`scheme://name.namespace[:port]/…`. Of the last two, in another namespace, it is not known whether they are names of the
public internet: that shows when such a Service is there.
Not counted: a name alone (it may be anything), numbers, `localhost`, longer names of the public internet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

TEXT_LEN_MAX: Final = 4_096
_LABEL = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Not inside a longer word, an address with a user (`a@b:1`), or a file's path.
_BEFORE = r"(?<![A-Za-z0-9._/@:%$-])"
_HOST: Final = re.compile(
    rf"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^/\s@,]*@)?|{_BEFORE})"
    rf"(?P<name>{_LABEL})(?P<rest>(?:\.{_LABEL})*)\.?(?::(?P<port>[0-9]{{1,5}}))?(?![A-Za-z0-9_.:-])"
)
_HERE: Final = frozenset(("localhost",))
_NOT_SERVED: Final = frozenset(("file", "unix", "docker-pullable", "oci", "image", "data", "mailto", "urn"))
PORT_MAX: Final = 65_535


class Host(NamedTuple):
    """A Service that is meant. `namespace` None: the own one; `port` "": not said; `doubtful`: or no Service at all."""

    name: str
    namespace: str | None
    port: str
    doubtful: bool = False


def names_no_host(text: object) -> bool:
    """Whether that is known at a glance, as of most values."""
    return not isinstance(text, str) or (":" not in text and ".svc" not in text)


def hosts_in(text: str, namespace: str) -> tuple[Host, ...]:
    """Every Service named in `text`, once, in order; `namespace` is the reader's own."""
    if names_no_host(text) or len(text) > TEXT_LEN_MAX:
        return ()
    return _hosts_in(text, namespace)


@lru_cache(maxsize=8_192)  # pods of one workload repeat the same values
def _hosts_in(text: str, namespace: str) -> tuple[Host, ...]:
    return tuple(dict.fromkeys(_found(text, namespace)))


def _found(text: str, namespace: str) -> Iterator[Host]:
    for match in _HOST.finditer(text):
        scheme, name, port = match["scheme"] or "", match["name"], match["port"] or ""
        labels = match["rest"].split(".")[1:]
        if name in _HERE or scheme in _NOT_SERVED or (port and not 0 < int(port) <= PORT_MAX):
            continue
        if not labels and (port or scheme):
            yield Host(name, None, port)
        elif len(labels) >= 2 and labels[1] == "svc":
            yield Host(name, labels[0], port)
        elif len(labels) == 1 and (port or scheme):
            yield Host(name, labels[0], port, doubtful=labels[0] != namespace)
