"""Names alone: which variables and arguments are those of hosts, and what stands in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.relations.hosts import Host, hosts_in, named_hosts, names_no_alone
from schemas.relations.kept_hosts import kept_hosts

WEB = Host("web", None, "", doubtful=True)


def hosts(*rows: Any) -> list[tuple[str, Host]]:
    return [(one.where, one.host) for one in named_hosts(list(rows))]


def variable(name: str, value: Any = "web") -> dict[str, Any]:
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    "name",
    [
        "DB_HOST",
        "db_host",
        "HOST",
        "dbHost",
        "db.host",
        "db-hostname",
        "MQ_SERVERS",
        "apiEndpoint",
        "CART_ADDR",
        "ES_NODES",
    ],
)
def test_a_variable_of_a_host_names_it(name: str) -> None:
    assert hosts(variable(name)) == [("[0].value", WEB)]


@pytest.mark.parametrize(
    "name", ["GHOST", "ghost", "HOSTNAME", "hostname", "DB_NAME", "HOST_NAME", "DB_HOST_", "HOST2", ""]
)
def test_another_variable_names_none(name: str) -> None:
    assert not hosts(variable(name))


@pytest.mark.parametrize(
    "text", ["localhost", "10.0.0.1", "db.example.com", "Web", "", "a b", "$(WEB)", "web-", "-", None, 3, "x" * 70]
)
def test_what_is_no_name_of_a_service_is_none(text: Any) -> None:
    assert not hosts(variable("DB_HOST", text))


@pytest.mark.parametrize("text", ["web:80", "http://web", "web.shop.svc"])
def test_what_the_other_reader_reads_is_not_read_twice(text: str) -> None:
    assert not hosts(variable("DB_HOST", text))


def test_several_hosts_stand_between_commas_each_perhaps_of_a_namespace() -> None:
    assert [one for _, one in hosts(variable("ES_HOSTS", "web, web,web.back,10.0.0.1"))] == [
        WEB,
        Host("web", "back", "", doubtful=True),
    ]


@pytest.mark.parametrize(
    ("name", "port", "value", "expected"),
    [
        ("DB_HOST", "DB_PORT", "5432", "5432"),
        ("db_host", "db_port", "5432", "5432"),
        ("dbHost", "dbPort", "5432", "5432"),
        ("db.host", "db.port", "5432", "5432"),
        ("HOST", "PORT", "5432", "5432"),
        ("DB_HOST", "PORT", "5432", ""),
        ("DB_HOST", "DB_PORT", "0", ""),
        ("DB_HOST", "DB_PORT", "65536", ""),
        ("DB_HOST", "DB_PORT", "http", ""),
        ("DB_HOST", "DB_PORT", None, ""),
    ],
)
def test_its_port_is_that_of_the_variable_beside_it(name: str, port: str, value: Any, expected: str) -> None:
    assert [one.port for _, one in hosts(variable(port, value), variable(name))] == [expected]
    assert [one.host.port for one in kept_hosts({name: "web", port: value}, "shop")] == [expected]


def test_an_argument_of_a_host_names_it_joined_or_after_it() -> None:
    assert hosts("run", "--db-host=web") == [("[1]", WEB)]
    assert hosts("--db-host", "web", "--mode", "web") == [("[1]", WEB)]
    assert hosts("-Dspring.redis.host=web") == [("[0]", WEB)]
    for arguments in (("--db-host",), ("--db-host", 3), ("--host=--", "db-host=web")):
        assert not hosts(*arguments)


def test_a_variable_whose_name_is_no_text_is_passed_over() -> None:
    assert hosts({"name": ["DB_PORT"], "value": "1"}, variable("DB_HOST"), {"name": {}}) == [("[1].value", WEB)]


ROW = st.one_of(
    st.builds(
        variable, st.sampled_from(("DB_HOST", "DB_PORT", "MODE", "")), st.sampled_from(("web", "web:80", "1", None))
    ),
    st.sampled_from(("--db-host", "--db-host=web", "web", "-", "--mode", 3, None)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db-0.db:5432", [Host("db-0", "db", "5432", doubtful=True), Host("db", None, "", doubtful=True, of_pod=True)]),
        ("tcp://db-10.db", [Host("db-10", "db", "", doubtful=True), Host("db", None, "", doubtful=True, of_pod=True)]),
        ("db-0.db.back.svc.cluster.local:5432", [Host("db", "back", "", of_pod=True)]),
        ("db.back:5432", [Host("db", "back", "5432", doubtful=True)]),
        ("db-0.db.example.com:5432", []),
    ],
)
def test_a_pod_needs_the_service_that_gives_it_its_name(text: str, expected: list[Host]) -> None:
    assert list(hosts_in(text, "shop")) == expected


def test_a_pod_in_a_variable_of_a_host_needs_it_too_whatever_the_port() -> None:
    assert [one for _, one in hosts(variable("DB_HOST", "db-0.db"), variable("DB_PORT", "5432"))] == [
        Host("db-0", "db", "5432", doubtful=True),
        Host("db", None, "", doubtful=True, of_pod=True),
    ]


@given(st.lists(ROW, max_size=5))
def test_what_is_known_at_a_glance_to_name_none_names_none(rows: list[Any]) -> None:
    assert not (names_no_alone(rows) and hosts(*rows))
