"""What the end-to-end tests are written with.

A test gets a Site (site.py): one host with a daemon, under a folder of its own, and the platform it talks
to. All else is part of it: processes that die with the test, the sandbox's control interface, a Varlink
client that shows every byte, faults at the system-call boundary, and a search of everything that was
printed or written for the secrets that the test handed out.
"""
