"""What a run must not do: saw off the branch that it sits on, or talk to anything but this machine."""

import os
from urllib.parse import urlsplit

import schemathesis

OWN_KEY = os.environ["WAXWING_FUZZ_KEY_ID"]
NO_KEY = "key_00000000000000000000000000"


@schemathesis.hook
def before_call(context, case, kwargs):
    """The run's own key stays as it is, every other may be deleted and rotated. Receivers and proxies are on this machine, at
    a port where nobody listens."""
    if case.method != "GET" and (case.path_parameters or {}).get("id") == OWN_KEY:
        case.path_parameters["id"] = NO_KEY
    body = case.body if isinstance(case.body, dict) else {}
    to_this_machine(body, "url")
    if isinstance(body.get("settings"), dict):
        to_this_machine(body["settings"], "proxy")


def to_this_machine(fields, name):
    """What is no address at all stays what it is."""
    value = fields.get(name)
    try:
        scheme = urlsplit(value).scheme if isinstance(value, str) else ""
    except ValueError:
        return
    if scheme in ("http", "https", "socks5"):
        fields[name] = f"{scheme}://127.0.0.1:9/"
