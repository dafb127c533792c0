"""A database of Zalando's operator → the Secrets that it makes for the users of it. Pure.

Read as the operator reads it (zalando/postgres-operator, pkg/cluster: cluster.go, connection_pooler.go, util.go):
whoever may log in gets one, called `{user}.{cluster}.credentials.postgresql.acid.zalan.do`. Another pattern of names is
a setting of the operator that no object here says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.identity import KindId
from schemas.relations.path import suffix_of
from schemas.relations.pointers import Pointer, Source
from schemas.untyped import mapping_of, texts_of

SYSTEM: Final = ("postgres", "standby")
POOLER: Final = "pooler"
STREAMS: Final = "fes_user"
BY_DEFAULT: Final = ("_owner_user", "_reader_user", "_writer_user")
NO_LOGIN: Final = "NOLOGIN"
USERS_MAX: Final = 1_000


def read_credentials(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Of the `spec` of a database."""
    spec = mapping_of(value)
    for place, (user, suffix) in enumerate(_users(spec)):
        if place == USERS_MAX:
            return
        called = user.replace("_", "-")
        yield Pointer(kind, f"{called}.{source.name}.credentials.postgresql.acid.zalan.do", suffix=suffix)


def _users(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who logs in, and where that is said."""
    for user in SYSTEM:
        yield user, ""
    pooler, is_asked = mapping_of(spec.get("connectionPooler")), spec.get("enableConnectionPooler")
    has_pooler = is_asked is True or (is_asked is None and isinstance(spec.get("connectionPooler"), Mapping))
    if has_pooler or spec.get("enableReplicaConnectionPooler") is True:
        yield str(pooler.get("user") or POOLER), ".connectionPooler"
    if spec.get("streams"):
        yield STREAMS, ".streams"
    for user, flags in mapping_of(spec.get("users")).items():
        if NO_LOGIN not in [flag.upper() for flag in texts_of(flags)]:
            yield str(user), f".users{suffix_of(str(user))}"
    for database, prepared in mapping_of(spec.get("preparedDatabases")).items():
        yield from _prepared(str(database), mapping_of(prepared), f".preparedDatabases{suffix_of(str(database))}")


def _prepared(database: str, prepared: Mapping[str, Any], suffix: str) -> Iterator[tuple[str, str]]:
    """Those that are made by themselves for a database and for its schemas."""
    if prepared.get("defaultUsers") is True:
        for ending in BY_DEFAULT:
            yield f"{database}{ending}", suffix
    for schema, said in mapping_of(prepared.get("preparedSchemas")).items():
        of_schema = mapping_of(said)
        if of_schema.get("defaultUsers") is True and of_schema.get("defaultRoles") is not False:
            for ending in BY_DEFAULT:
                yield f"{database}_{schema}{ending}", f"{suffix}.preparedSchemas{suffix_of(str(schema))}"
