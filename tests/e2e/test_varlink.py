"""The protocol, byte for byte, over the daemon's own socket: each method of the interface against each rule of Varlink.

What the methods do is shown elsewhere. The methods and their parameters are read from the file that is shipped, so that a
new one is held to the rules too.
"""

import json
import re
import socket

import pytest

from harness.tables import source
from harness.users import needs_root

SERVICE, OURS = "org.varlink.service", "io.elementd"
NOBODY = (61001, 61001)

ROOT_ONLY = {"Reload", "Retry", "ListOrphans", "DescribeElement"}
STREAMS = {"WatchToken", "WatchInstances"}

VALUES = {"string": "x", "int": 7, "[]int": [7]}
OTHERS = {"string": [7, True, [], {}, ["x"], None, "x\0"], "int": ["7", 7.5, -1, True, [], {}, None],
          "[]int": [7, "7", {}, True, ["7"], [[7]], None]}


def methods():
    """Each method with its parameters: name, type, whether it may be left out."""
    text = re.sub(r"#.*", "", source(f"ipc/{OURS}.varlink"))
    found = {}
    for name, parameters in re.findall(r"^method (\w+)\((.*?)\) ?->", text, re.M | re.S):
        found[name] = [(key, kind, bool(mark)) for key, mark, kind in re.findall(r"(\w+): (\??)(\[\]\w+|\w+)", parameters)]
    return found


METHODS = methods()


def error(name, **parameters):
    """As it stands on the wire."""
    return json.dumps({"error": name if "." in name else f"{SERVICE}.{name}", "parameters": parameters},
                      separators=(",", ":")).encode()


def ask(varlink, method, parameters=None, **flags):
    """The bytes of the one reply: what is answered behind it is the next call's."""
    varlink.send(f"{OURS}.{method}" if "." not in method else method, parameters, **flags)
    varlink.send(f"{SERVICE}.GetInfo")
    reply = varlink.receive_bytes()
    assert b'"interfaces"' in varlink.receive_bytes()
    return reply


def arguments(method, **changed):
    """All that must be given, of an instance that there is."""
    given = {key: VALUES[kind] for key, kind, is_optional in METHODS[method] if not is_optional}
    if "instance" in given:
        given["instance"] = "one"
    if "element" in given:
        given["element"] = "jira"
    return given | changed


@pytest.fixture
def running(site):
    site.simple("one")
    site.start()
    site.token("one")
    return site


def test_all_methods_are_read():
    assert len(METHODS) == source(f"ipc/{OURS}.varlink").count("\nmethod ") > 10
    assert METHODS["GetToken"] == [("instance", "string", False), ("timeoutUSec", "int", True)]
    assert METHODS["Explain"] == [("instance", "string", False), ("uid", "int", True), ("groups", "[]int", True),
                                  ("unit", "string", True)]
    assert ROOT_ONLY | STREAMS <= METHODS.keys()


def test_the_description_is_the_file(running):
    with running.connect() as varlink:
        for interface in OURS, SERVICE:
            reply = ask(varlink, f"{SERVICE}.GetInterfaceDescription", {"interface": interface})
            assert json.loads(reply) == {"parameters": {"description": source(f"ipc/{interface}.varlink")}}
            assert reply.startswith(b'{"parameters":{"description":"') and reply.endswith(b'"}}')


def test_what_there_is_not(running):
    cases = {f"{OURS}.Nothing": error("MethodNotFound", method=f"{OURS}.Nothing"),
             f"{OURS}.getToken": error("MethodNotFound", method=f"{OURS}.getToken"),
             f"{SERVICE}.GetToken": error("MethodNotFound", method=f"{SERVICE}.GetToken"),
             f"{OURS}x.GetToken": error("InterfaceNotFound", interface=f"{OURS}x"),
             f"{OURS}.more.GetToken": error("InterfaceNotFound", interface=f"{OURS}.more"),
             "org.example.Get": error("InterfaceNotFound", interface="org.example")}
    with running.connect() as varlink:
        for method, reply in cases.items():
            for flags in {}, {"more": True}, {"upgrade": True}:
                assert ask(varlink, method, {"x": 1}, **flags) == reply, method
        assert ask(varlink, f"{SERVICE}.GetInterfaceDescription", {"interface": "org.example"}) == \
            error("InterfaceNotFound", interface="org.example")


@needs_root
@pytest.mark.parametrize("more", [False, True])
def test_parameters_by_name(running, more):
    flags = {"more": True} if more else {}
    with running.connect() as varlink:
        for method, parameters in METHODS.items():
            def refused(given, name, method=method):
                reply = ask(varlink, method, given, **flags)
                assert reply == error("InvalidParameter", parameter=name), (method, given, reply)

            refused(arguments(method, bogus=1), "bogus")
            refused(arguments(method, Instance="one"), "Instance")
            for key, kind, is_optional in parameters:
                for other in OTHERS[kind]:
                    if not (is_optional and other is None):
                        refused(arguments(method, **{key: other}), key)
                if not is_optional:
                    refused({name: value for name, value in arguments(method).items() if name != key}, key)
            first = next((key for key, _, is_optional in parameters if not is_optional), None)
            if first:
                for nothing in None, {}:
                    refused(nothing, first)
        assert ask(varlink, f"{SERVICE}.GetInfo", {"x": 1}, **flags) == error("InvalidParameter", parameter="x")
        assert ask(varlink, f"{SERVICE}.GetInterfaceDescription", {}, **flags) == error("InvalidParameter", parameter="interface")


@needs_root
def test_more(running):
    """Streams want it, and the others take it: then there is one reply all the same, that does not continue."""
    with running.connect() as varlink:
        for method in METHODS:
            if method in STREAMS:
                assert ask(varlink, method, arguments(method)) == error("ExpectedMore"), method
                assert ask(varlink, method, arguments(method), more=False) == error("ExpectedMore"), method
                continue
            plain = ask(varlink, method, arguments(method))
            assert b'"continues"' not in plain and not plain.startswith(b'{"error"'), (method, plain)
            assert ask(varlink, method, arguments(method), more=True) == plain, method
    for method in STREAMS:
        with running.connect() as varlink:
            varlink.send(f"{OURS}.{method}", arguments(method), more=True)
            first = varlink.receive_bytes()
            assert first.startswith(b'{"parameters":{') and first.endswith(b'},"continues":true}'), first
            # Its last reply is an error, which does not continue, and then comes the next call's turn.
            varlink.send(f"{SERVICE}.GetInfo")
            running.undeclare("one")
            running.reload()
            last = varlink.receive_bytes()
            while b'"error"' not in last:
                assert last.endswith(b',"continues":true}'), last
                last = varlink.receive_bytes()
            assert last == error(f"{OURS}.NoSuchInstance", instance="one")
            assert b'"interfaces"' in varlink.receive_bytes()
        running.instance("one")
        running.reload()


@needs_root
def test_oneway_is_never_answered(running):
    """Whatever there would be to say."""
    calls = [("GetToken", {"instance": "one"}), ("GetToken", {"instance": "nothing"}), ("GetToken", {"instance": 7}),
             ("GetToken", {}), ("GetToken", {"instance": "one", "bogus": 1}), ("Nothing", {}), ("org.example.Get", {}),
             ("WatchToken", {"instance": "one"}), ("WatchInstances", {}), ("ReportRejected", {"instance": "nothing", "token": "x"}),
             ("DescribeElement", {"element": "nothing"}), ("DescribeElement", {}), ("Explain", {"instance": "one", "uid": -1}),
             (f"{SERVICE}.GetInfo", {}), (f"{SERVICE}.GetInterfaceDescription", {"interface": "org.example"}),
             *((method, arguments(method)) for method in METHODS)]

    def say_all(varlink):
        for method, parameters in calls:
            for flags in {}, {"more": False}, {"upgrade": True}:
                varlink.send(f"{OURS}.{method}" if "." not in method else method, parameters, oneway=True, **flags)
        varlink.send(f"{OURS}.GetToken", {"instance": "last"})
        assert varlink.receive_bytes() == error(f"{OURS}.NoSuchInstance", instance="last")
        varlink.socket.settimeout(0.2)
        with pytest.raises(socket.timeout):
            varlink.receive_bytes()

    with running.connect() as varlink:
        say_all(varlink)
    with running.connect_as(*NOBODY) as varlink:
        say_all(varlink)


@needs_root
def test_permission_denied(running):
    running.instance("one", allow=[])
    running.reload()
    with running.connect_as(*NOBODY) as varlink:
        for method in ROOT_ONLY:
            # Whoever may not call learns nothing of what he asks for.
            for given in arguments(method), {}, {"bogus": 1}, {"instance": "nothing"}:
                for flags in {}, {"more": True}:
                    assert ask(varlink, method, given, **flags) == error("PermissionDenied"), method
        for method in "GetToken", "GetAuthorization", "ReportRejected", "WatchToken":
            for flags in {}, {"more": True}:
                assert ask(varlink, method, arguments(method), **flags) == error("PermissionDenied"), method
        assert ask(varlink, "GetToken", {"instance": "nothing"}) == error(f"{OURS}.NoSuchInstance", instance="nothing")
        assert ask(varlink, "ListInstances") == b'{"parameters":{"instances":[]}}'


def test_no_method_upgrades(running):
    with running.connect() as varlink:
        for method in (*(f"{OURS}.{name}" for name in METHODS), f"{SERVICE}.GetInfo"):
            assert ask(varlink, method, {}, upgrade=True) == error("MethodNotImplemented", method=method)


@pytest.mark.parametrize("message", [
    b"", b" ", b"{}", b"[]", b"null", b'{"method":null}', b'{"method":7}', b'{"parameters":{}}', b'{"method":"a.B","x":1}',
    b'{"method":"a.B","parameters":[]}', b'{"method":"a.B","more":1}', b'{"method":"a.B","oneway":"true"}',
    b'{"method":"a.B","more":true,"oneway":true}', b'{"method":"a.B"}{}', b'{"method":"a.B","method":"a.B"}', b'{"method":"a.B",}',
    b'{"method":"a.B"} // comment', b"{'method':'a.B'}", b'\xef\xbb\xbf{"method":"a.B"}', b'{"method":"\xff"}',
    b'{"error":"a.B","parameters":{}}', b'{"method":"a.B","parameters":' + b"[" * 100,
], ids=repr)
def test_what_is_no_call_ends_the_connection(running, message):
    """After the answers to what came before it, and without one to what comes behind."""
    with running.connect() as varlink:
        call = json.dumps({"method": f"{OURS}.GetToken", "parameters": {"instance": "nothing"}}).encode()
        varlink.send_bytes(call + b"\0" + message + b"\0" + call + b"\0")
        assert varlink.receive_bytes() == error(f"{OURS}.NoSuchInstance", instance="nothing")
        try:
            assert varlink.receive_bytes() is None
        except ConnectionResetError:
            pass  # what was behind it was not read
    assert running.ask("one")
