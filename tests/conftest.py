"""In CI nothing may be skipped: a browser that is missing is a failure, not a shrug."""

import os

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn skips into failures when MEDIAROUTER_CI is set."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("MEDIAROUTER_CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
