"""Names, labels, annotations, owner references: what every object must obey. Messages are the real server's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import Object

LABEL_LEN_MAX, SUBDOMAIN_LEN_MAX = 63, 253
ANNOTATIONS_BYTES_MAX = 256 * 1024

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

NOT_A_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
NOT_A_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
NOT_A_NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
NOT_A_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)

NOT_A_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

STANDARD_FINALIZERS = ("kubernetes", "foregroundDeletion", "orphan")
NOT_A_FINALIZER = "name is neither a standard finalizer name nor is it fully qualified"
PATH_SEGMENT_GROUPS = ("rbac.authorization.k8s.io",)  # their names may hold colons and capitals


def label(name: str) -> str:
    """What is wrong with it; empty when nothing is."""
    if len(name) > LABEL_LEN_MAX:
        return f"must be no more than {LABEL_LEN_MAX} characters"
    if re.fullmatch(_LABEL, name):
        return ""
    return "must not contain dots" if re.fullmatch(_SUBDOMAIN, name) else NOT_A_LABEL


def subdomain(name: str) -> str:
    if len(name) > SUBDOMAIN_LEN_MAX:
        return f"must be no more than {SUBDOMAIN_LEN_MAX} characters"
    return "" if re.fullmatch(_SUBDOMAIN, name) else NOT_A_SUBDOMAIN


def path_segment(name: str) -> str:
    if name in (".", ".."):
        return f"may not be '{name}'"
    return next((f"may not contain '{sign}'" for sign in "/%" if sign in name), "")


def config_key(name: str) -> str:
    """Of ConfigMaps and Secrets: it becomes the name of a file."""
    if len(name) > SUBDOMAIN_LEN_MAX:
        return f"must be no more than {SUBDOMAIN_LEN_MAX} bytes"
    if not re.fullmatch("[-._a-zA-Z0-9]+", name):
        return NOT_A_CONFIG_KEY
    if name in (".", ".."):
        return f"must not be '{name}'"
    return "must not start with '..'" if name.startswith("..") else ""


def check_metadata(kind: Kind, metadata: Object) -> Iterator[Cause]:
    wrong = _name_rule(kind)(metadata["name"])
    if wrong:
        yield _invalid("metadata.name", metadata["name"], wrong)
    yield from check_labels("metadata.labels", metadata.get("labels") or {})
    yield from _check_annotations(metadata.get("annotations") or {})
    for index, name in enumerate(metadata.get("finalizers") or ()):
        if wrong := qualified_name(name):
            yield _invalid("metadata.finalizers", name, wrong)
        elif not kind.custom and "/" not in name and name not in STANDARD_FINALIZERS:
            yield _invalid(f"metadata.finalizers[{index}]", name, NOT_A_FINALIZER)
    yield from _check_owners(metadata.get("ownerReferences") or ())


def check_labels(path: str, labels: dict[str, str]) -> Iterator[Cause]:
    for name, value in labels.items():
        if wrong := qualified_name(name):
            yield _invalid(path, name, wrong)
        if len(value) > LABEL_LEN_MAX:
            yield _invalid(path, value, f"must be no more than {LABEL_LEN_MAX} bytes")
        elif not re.fullmatch(_VALUE, value):
            yield _invalid(path, value, NOT_A_VALUE)


def qualified_name(name: str) -> str:
    """`app`, or `example.com/app`."""
    prefix, slash, part = name.rpartition("/")
    if slash and (not prefix or subdomain(prefix)):
        return f"prefix part {NOT_A_SUBDOMAIN}"
    if len(part) > LABEL_LEN_MAX:
        return f"name part must be no more than {LABEL_LEN_MAX} bytes"
    return "" if re.fullmatch(_QUALIFIED, part) else NOT_A_NAME_PART


def _name_rule(kind: Kind) -> Callable[[str], str]:
    if kind.group in PATH_SEGMENT_GROUPS:
        return path_segment
    return label if not kind.custom and kind.kind in ("Namespace", "Service") else subdomain


def _check_annotations(annotations: dict[str, str]) -> Iterator[Cause]:
    for name in annotations:
        if wrong := qualified_name(name.lower()):
            yield _invalid("metadata.annotations", name, wrong)
    if sum(len(name) + len(value) for name, value in annotations.items()) > ANNOTATIONS_BYTES_MAX:
        message = f"Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes"
        yield Cause("metadata.annotations", "FieldValueTooLong", message)


def _check_owners(owners: Any) -> Iterator[Cause]:
    for owner in owners:
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield _invalid(f"metadata.ownerReferences.{part}", "", "must not be empty")
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        message = "Invalid value: only one reference can have Controller set to true"
        yield Cause("metadata.ownerReferences", "FieldValueInvalid", message)


def _invalid(path: str, value: str, why: str) -> Cause:
    return Cause(path, "FieldValueInvalid", f'Invalid value: "{value}": {why}')
