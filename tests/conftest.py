"""Fixtures for all tests; each family of them has its module in tests/kit."""

pytest_plugins = ["tests.kit.controlplane"]
