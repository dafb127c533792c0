"""Query parameters → checked options of a read or a write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cheops.sandbox.apiserver.selectors import Predicate, both, field_selector, label_selector
from cheops.sandbox.apiserver.statuses import Cause, StatusError, bad_request, invalid_options
from cheops.sandbox.apiserver.targets import Target

Query = Mapping[str, str]

VALIDATIONS = ("", "Ignore", "Warn", "Strict")
MANAGER_BYTES_MAX = 128  # as the real server
FORCED_ELSEWHERE = Cause("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Of list, watch and deletecollection. `version` is None when none was asked for."""

    matches: Predicate | None
    limit: int
    continue_token: str
    version: int | None
    version_match: str
    watch: bool
    bookmarks: bool
    initial_events: bool | None
    timeout_s: float | None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Of create, update and patch."""

    dry_run: bool = False
    manager: str = ""
    validation: str = "Warn"
    force: bool = False


def is_watch(query: Query) -> bool:
    return _flag(query, "watch")


def read_options(target: Target, query: Query) -> ReadOptions:
    watch = is_watch(query)
    fields = field_selector(target.kind, query.get("fieldSelector", ""))
    options = ReadOptions(
        matches=both(fields, label_selector(query.get("labelSelector", ""))),
        limit=_number(query, "limit") or 0,
        continue_token=query.get("continue", ""),
        version=_version(query.get("resourceVersion", ""), watch),
        version_match=query.get("resourceVersionMatch", ""),
        watch=watch,
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial_events=_flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_s=_number(query, "timeoutSeconds"),
    )
    _check_consistent(options)
    return options


def write_options(query: Query, user_agent: str, options_kind: str, *, applies: bool = True) -> WriteOptions:
    """`options_kind` is CreateOptions, UpdateOptions or PatchOptions, as in messages. Raises StatusError 422."""
    validation, dry_run, manager = (query.get(name, "") for name in ("fieldValidation", "dryRun", "fieldManager"))
    causes = [] if applies or "force" not in query else [FORCED_ELSEWHERE]
    causes += [*_wrong_manager(manager), *_wrong_dry_run(dry_run)]
    if validation not in VALIDATIONS:
        supported = '"", "Ignore", "Strict", "Warn"'
        message = f'Unsupported value: "{validation}": supported values: {supported}'
        causes.append(Cause("fieldValidation", "FieldValueNotSupported", message))
    if causes:
        raise invalid_options(options_kind, *causes)
    return WriteOptions(
        dry_run=dry_run == "All",
        manager=manager or user_agent.partition("/")[0] or "unknown",
        validation=validation or "Warn",
        force=_flag(query, "force"),
    )


def is_dry_run(value: str | None, options_kind: str) -> bool:
    if causes := _wrong_dry_run(value or ""):
        raise invalid_options(options_kind, *causes)
    return value == "All"


def _wrong_dry_run(value: str) -> list[Cause]:
    if value in ("", "All"):
        return []
    message = f'Unsupported value: ["{value}"]: supported values: "All"'
    return [Cause("dryRun", "FieldValueNotSupported", message)]


def _wrong_manager(manager: str) -> list[Cause]:
    if len(manager.encode()) > MANAGER_BYTES_MAX:
        message = f"Too long: may not be more than {MANAGER_BYTES_MAX} bytes"
        return [Cause("fieldManager", "FieldValueTooLong", message)]
    for place, sign in enumerate(manager):
        if not sign.isprintable():
            why = f"invalid character U+{ord(sign):04X} (at position {place})"
            shown = json.dumps(manager).replace("\\u00", "\\x")  # as Go spells it
            return [Cause("fieldManager", "FieldValueInvalid", f"Invalid value: {shown}: {why}")]
    return []


def _check_consistent(options: ReadOptions) -> None:
    """As the real server words it."""
    if options.initial_events is not None:
        if options.version_match != "NotOlderThan":
            raise _forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    elif options.watch and options.version_match:
        raise _forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    elif options.version_match and options.version is None:
        raise _forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if options.version_match == "Exact" and options.version == 0:
        raise _forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if options.version_match not in ("", "Exact", "NotOlderThan"):
        supported = '"Exact", "NotOlderThan", ""'
        message = f'Unsupported value: "{options.version_match}": supported values: {supported}'
        raise invalid_options("ListOptions", Cause("resourceVersionMatch", "FieldValueNotSupported", message))


def _forbidden(why: str) -> StatusError:
    return invalid_options("ListOptions", Cause("resourceVersionMatch", "FieldValueForbidden", f"Forbidden: {why}"))


def _version(text: str, watch: bool) -> int | None:
    if text and not text.isdecimal():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise StatusError(500, "", why) if watch else bad_request(f"invalid resource version: {why}")
    return int(text) if text else None


def _number(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if text and not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text) if text else None


def _flag(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "t")
