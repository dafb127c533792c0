"""Fixtures for all tests; each family of them has its module in tests/kit.

Hypothesis tries the same examples every time, so that a red run is red again; `make soak` tries new ones.
"""

import os
import signal

os.environ.setdefault("CHEOPS_COMPILED", "0")  # tests read the sources; the continuous run tries compiled code, too

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kit.controlplane", "tests.kit.bed", "tests.kit.spread"]

# No deadline, nor a bound on making examples: a busy machine is no defect of what is tested.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", PATIENT, derandomize=True)
settings.register_profile("new", PATIENT)
settings.load_profile("same")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background job; what tests interrupt would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
