"""What goes wrong around the daemon and is none of its clients' business."""

import fcntl
import os
import time

from harness.wait import wait_until


def test_a_name_lookup_that_hangs_delays_no_call(site):
    """The resolver cannot be called off: requests give up before it does, and so does the daemon when it stops."""
    site.simple("old", request_timeout_sec=1)
    daemon = site.start()
    token = site.token("old")
    daemon.stop()
    site.account("far", url="https://platform.example/elements/api-v2")
    site.instance("new", account="far")
    daemon = site.start("getaddrinfo:path=platform.example:delay=8s")
    longest = 0.0

    def is_given_up():
        nonlocal longest
        start = time.monotonic()
        assert site.ask("old") == token
        longest = max(longest, time.monotonic() - start)
        return site.instances()["new"]["state"] == "waiting"

    wait_until(is_given_up, "the request has given up")
    assert daemon.faults.calls("getaddrinfo", "platform.example"), "the name was looked up"
    assert longest < 0.5, f"a call took {longest:.1f} s"
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < 3


def fill(pipe):
    """Until whoever writes to it waits."""
    os.set_blocking(pipe, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(pipe, True)


def test_a_log_that_nobody_reads_stops_nothing(site):
    site.simple("one")
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        fill(writer)
        daemon = site.start(prepare=lambda: os.dup2(writer, 2))
        assert site.token("one") == site.platform.instances()[0]["token"]
        daemon.stop()
    finally:
        os.close(reader)
        os.close(writer)


def test_a_log_whose_reader_goes_ends_nothing(site):
    site.simple("one")
    reader, writer = os.pipe()
    try:
        daemon = site.start(prepare=lambda: os.dup2(writer, 2))
        site.token("one")
        wait_until(lambda: b"is ready" in os.read(reader, 65536), "it logs there")
    finally:
        os.close(reader)
        os.close(writer)
    # Each of these connections is worth a line to it.
    for _ in range(3):
        assert site.token("one") == site.platform.instances()[0]["token"]
    assert daemon.is_running()
    daemon.stop()


def test_without_stderr_at_all_nothing_else_is_written_to(site):
    """What is opened next would get its number, and then the log's lines."""
    site.simple("one")
    daemon = site.start(prepare=lambda: os.close(2))
    token = site.token("one")
    with site.connect() as varlink:
        assert varlink.token("one") == token
    daemon.stop()
    assert site.document()["records"][0]["token"] == token
    site.start()
    assert site.ask("one") == token
    assert len(site.platform.posts()) == 1
