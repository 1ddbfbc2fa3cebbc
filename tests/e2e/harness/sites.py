"""Many hosts at a time, for tests that mostly wait."""

import contextlib

from harness.site import Site


@contextlib.contextmanager
def sites(names):
    """A host of each name; what is wrong with what they leave is told with their names."""
    hosts = {}
    try:
        for name in names:
            hosts[name] = Site()
        yield hosts
        wrong = [f"{name}: {what}" for name, host in hosts.items() for what in host.close()]
        assert not wrong, "\n".join(wrong)
    finally:
        for host in hosts.values():
            host.remove()
