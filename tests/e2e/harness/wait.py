"""Waiting for something to come true, with a deadline; never for time to pass."""

import time

# Long enough for two slow processors under a sanitizer; a test that gets what it waits for never spends it.
DEADLINE = 20.0


def wait_until(condition, what, timeout=DEADLINE, pause=0.01):
    """The first true value of condition(); `what` says in a failure what did not happen."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still not: {what} (last: {value!r})")
        time.sleep(pause)


def stays_true(condition, what, seconds):
    """For what must not happen within a time that matters in itself, such as before a Retry-After."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what
        time.sleep(0.02)
