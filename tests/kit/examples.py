"""How many examples of a property are tried.

same    `make test`: always the same ones, so that a red run is red again; a quarter as many, since there are minutes
whole   the same and the others: the continuous run, on compiled code
new     `make soak`: all, and other ones each time
"""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

USUAL: Final = 100  # unless a property says something else
SHORTENED: Final = "same"
SHARE: Final = 4  # one in so many is tried then


def examples(many: int) -> int:
    """Of `many`, as many as the profile has time for."""
    return -(-many // SHARE) if settings.get_current_profile_name() == SHORTENED else many


def register() -> None:
    """The profiles; the first of them is loaded."""
    # No deadline, nor a bound on making examples: a busy machine is no defect of what is tested.
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=USUAL)
    settings.register_profile("whole", patient, derandomize=True)
    settings.register_profile("new", patient)
    settings.register_profile(SHORTENED, patient, derandomize=True, max_examples=-(-USUAL // SHARE))
    settings.load_profile(SHORTENED)
