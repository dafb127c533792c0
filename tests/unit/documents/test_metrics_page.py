"""What is shown to Prometheus is what docs/metrics.md says, and what the alerts in deploy/prometheus ask for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
OF_THE_API_SERVER = "apiserver_admission_webhook_fail_open_count"
NAME = re.compile(r"\bcheops_[a-z_]+")


def shown() -> set[str]:
    """Every metric, as Prometheus names it."""
    sources = "\n".join(one.read_text() for one in (ROOT / "services").rglob("*.py"))
    counters = {f"{one}_total" for one in re.findall(r'Counter\(\s*"(cheops_[a-z_]+)"', sources)}
    others = re.findall(r'(?:Histogram\(\s*|Gauge\(\s*|yield |yield \(\s*)"(cheops_[a-z_]+)"', sources)
    return counters | {*others}


def test_the_page_names_every_metric_and_none_that_is_not_there() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in NAME.findall(row)]
    assert len(named) == len({*named}) > 25
    assert {*named} == shown()


def test_each_alert_asks_for_metrics_that_are_there_and_says_what_is_wrong() -> None:
    (group,) = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]:
        asked = {name.removesuffix("_bucket") for name in NAME.findall(rule["expr"])}
        if OF_THE_API_SERVER in rule["expr"]:
            asked.add(OF_THE_API_SERVER)
        assert asked, rule["alert"]
        assert asked <= {*shown(), OF_THE_API_SERVER}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
