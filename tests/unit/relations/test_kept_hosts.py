"""What a ConfigMap keeps: variables and files, and the hosts in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.relations.hosts import HOSTS_MAX, TEXT_LEN_MAX, Host
from schemas.relations.kept_hosts import kept_hosts


def host(name: str, port: str = "", namespace: str | None = None) -> Host:
    return Host(name, namespace, port, doubtful=True)


def of_file(text: str) -> list[Host]:
    return [one.host for one in kept_hosts({"a.conf": f"{text}\n"}, "shop")]


def test_each_key_says_where_and_none_is_sure() -> None:
    data = {
        "DB_HOST": "web",
        "URL": "http://api:80",
        "redis.server": "redis:6379",
        "nginx.conf": "server {\n  proxy_pass http://api;\n}",
        "N": 3,
    }
    assert [(one.where, one.host) for one in kept_hosts(data, "shop")] == [
        (".DB_HOST", host("web")),
        (".URL", host("api", "80")),
        ("['redis.server']", host("redis", "6379")),
        ("['nginx.conf']", host("api")),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  server R0 redis-0:26379 check inter 3s", host("redis-0", "26379")),
        ("proxy_pass http://web/;", host("web")),
        ("      - targets: ['web:9100']", host("web", "9100")),
        ('{"url": "http://web:3000/api", "basicAuth": false}', host("web", "3000")),
        ("spring.datasource.url=jdbc:postgresql://web:5432/shop", host("web", "5432")),
        ("forward . web.back.svc.cluster.local", host("web", "", "back")),
        ("fastcgi_pass web:9000;\r", host("web", "9000")),
        ("imagePullPolicy: web:8080", host("web", "8080")),
    ],
)
def test_a_host_is_found_anywhere_in_a_line(line: str, expected: Host) -> None:
    assert of_file(line) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "# proxy_pass http://web:80;",
        "  // see http://web:80",
        "; server=web:80",
        "image: web:80",
        '"image": "web:80"',
        "sidecarImage = web:80",
        "images: [web:80]",
        "FROM web:80",
        "web:7",
        "http://localhost:80",
        "http://10.0.0.1:80",
        "http://docs.example.com/web:80",
        "echo ${WEB}-0:80",
        '"web":80',
        "x" * TEXT_LEN_MAX + " http://web:80",
    ],
)
def test_a_comment_an_image_and_the_internet_are_no_hosts(line: str) -> None:
    assert not of_file(line)


@pytest.mark.parametrize(
    "line",
    [
        "host: web",
        "  - host: web",
        "host: 'web'  # main",
        '  "host": "web",',
        "spring.redis.host=web",
        "export DB_HOST=web",
        'DB_HOST = "web";',
        "    Host  web",
        "bootstrap.servers=web\r",
    ],
)
def test_a_name_alone_is_one_where_it_is_all_that_a_line_says(line: str) -> None:
    assert of_file(line) == [host("web")]


@pytest.mark.parametrize(
    "line",
    [
        "the host web",
        "host: web is up",
        "hostname: web",
        "server_name web;",
        "mode: web",
        "# host: web",
        "host:",
        "host web up",
    ],
)
def test_other_lines_name_nobody(line: str) -> None:
    assert not of_file(line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db.host=web\nport=80\ndb.port=5432", [host("web", "5432")]),
        ("host: web\n\nport: '5432'", [host("web", "5432")]),
        ('{\n  "Host": "web",\n  "Port": 5432,\n  "Db": 0\n}', [host("web", "5432")]),
        ("- host: web\n  port: 1\n- host: api\n  port: 2", [host("web", "1"), host("api", "2")]),
        ("- port: 1\n  host: web\n- port: 2\n  host: api", [host("web", "1"), host("api", "2")]),
        ("db:\n  host: web\n  tls:\n    on: true\n  port: 1", [host("web", "1")]),
        ("server:\n  port: 8081\nspring:\n  redis:\n    host: web", [host("web")]),
        ("[server]\nport = 8081\n[redis]\nhost = web", [host("web")]),
        ("[redis]\nhost = web\n[server]\nport = 8081", [host("web")]),
        ("host: web\ntls:\n  port: 8081", [host("web")]),
    ],
)
def test_its_port_is_that_of_the_setting_called_as_it_in_the_same_block(text: str, expected: list[Host]) -> None:
    assert of_file(text) == expected


def test_the_name_of_a_group_of_servers_is_the_files_own() -> None:
    assert of_file("upstream web {\n  server api:8080;\n}\nproxy_pass http://web;\nproxy_pass http://web:80;") == [
        host("api", "8080"),
        host("web", "80"),
    ]


def test_a_host_is_named_once_in_each_key_and_not_without_end() -> None:
    assert of_file("web:80\nhttp://web:80\nweb:80 web:81") == [host("web", "80"), host("web", "81")]
    many = "\n".join(f"web-{place}:80" for place in range(HOSTS_MAX + 1))
    assert len(of_file(many)) == HOSTS_MAX


def test_an_image_of_one_line_is_none_either() -> None:
    assert not [*kept_hosts({"WORKER_IMAGE": "web:80", "workerImage": "web:80"}, "shop")]


LINE = st.sampled_from(
    ("web:80", "# web:80", "host: web", "port: 80", "image: web:80", "", "  ", "x web:80 y", "\r", "http://")
)


@given(st.lists(LINE, min_size=1), st.lists(LINE))
def test_more_lines_take_no_host_away(first: list[str], more: list[str]) -> None:
    named = {(one.name, one.namespace) for one in of_file("\n".join(first))}
    assert named <= {(one.name, one.namespace) for one in of_file("\n".join((*first, *more)))}


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a" + " " * 200_000 + "!", "key: a" + " " * 200_000 + "!", ":/" * 100_000]
)
def test_a_file_of_no_sense_is_read_in_the_time_of_its_length(text: str) -> None:
    assert not of_file(text)
