"""`rebalance: true` as a person sees it: a site is cut off, its share moves, it is back, and all is as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.flow.test_compositions import SITES, apply, replicas, web
from tests.flow.test_sets import eventually
from tests.kit.command import Shell, sandbox


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("rebalance"), *SITES, CHEOPS_REBALANCE_AFTER_S="10") as made:
        yield made


def test_the_share_of_a_site_that_is_cut_off_moves_and_goes_back(shell: Shell) -> None:
    plain = web("default", 6)
    plain["spec"]["template"]["spec"]["containers"][0].pop("env")
    apply(shell, plain, scope="lyon % oslo % nice {rebalance: true}")
    assert replicas(shell, "default") == [2, 2, 2]
    shell("sandbox", "cut", "nice")
    try:
        eventually(lambda: replicas(shell, "default") == [3, 3, 2], "the share of nice does not move")
        eventually(
            lambda: (
                "AWAY A509  Deployment default/web: nice cannot be heard; its share (2 of 6) goes to lyon, oslo"
                in shell("alerts", "--site", "lyon").out
            ),
            "nobody is told",
        )
        read = shell("get", "deployment/web", "--site", "lyon")
        assert "6 of 6 ready at 2 sites; the part at nice is unknown" in read.out
        (shell.folder / "bundle.yaml").write_text(yaml.safe_dump({**plain, "spec": {**plain["spec"], "replicas": 9}}))
        updated = shell("apply", "-f", "bundle.yaml", "--site", "oslo", "-o", "json")
        assert "W503" in {one["code"] for one in updated.body["reasons"]}
        eventually(lambda: replicas(shell, "default") == [5, 4, 2], "what is new does not move")
    finally:
        shell("sandbox", "heal", "nice")
    eventually(lambda: replicas(shell, "default") == [3, 3, 3], "the share of nice does not go back")
    eventually(
        lambda: "nice can be heard again" in shell("alerts", "--site", "lyon").out, "nobody is told that it is back"
    )
    whole = shell("get", "deployment/web", "--site", "nice", "-o", "json").body["whole"]
    assert (whole["desired"], whole["unknown"]) == (9, [])
    refused = shell("heal", "deployment/web", "--site", "lyon", "--scope", "lyon {rebalance: true}", "-o", "json")
    assert (refused.code, {one["code"] for one in refused.body["reasons"]}) == (3, {"D631"}), "the others are there"
    assert shell("delete", "deployment/web", "--site", "nice").code == 0
    assert replicas(shell, "default") == [None] * 3
