"""Runs schemathesis over the whole API of a `waxwing up` that it starts, and stops.

    python run.py --waxwing PATH [--seconds 60] [--seed 1]

Fails on any finding, when the program does not live to the end, and when it does not stop well.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import requests

HERE = pathlib.Path(__file__).resolve().parent
# How long the start may take on a busy machine, and the stop.
DEADLINE_S = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waxwing", required=True, help="the program")
    parser.add_argument("--seconds", type=int, default=60, help="how long")
    parser.add_argument("--seed", type=int, default=None, help="drawn, and printed, unless it is given")
    told = parser.parse_args()
    seed = told.seed if told.seed is not None else random.SystemRandom().randrange(2**32)
    with tempfile.TemporaryDirectory() as folder:
        log = open(pathlib.Path(folder, "waxwing.log"), "w+")
        waxwing = subprocess.Popen(
            [told.waxwing, "--log-json", "up", "--listen", "127.0.0.1:0", "--data-dir", folder], stdout=log, stderr=log
        )
        try:
            credentials = started(folder, waxwing)
            found = fuzz(credentials, told.seconds, seed, folder)
            alive = waxwing.poll() is None
        finally:
            waxwing.send_signal(signal.SIGTERM)
            ended = waxwing.wait(DEADLINE_S)
        log.seek(0)
        faults = [line for line in log if is_fault(line)]
        print("".join(faults[:40]), end="")
        sys.exit(0 if found == 0 and alive and ended == 0 and not faults else 1)


def is_fault(line):
    """True when the program says that something is wrong with itself. Libraries tell of receivers that are not there, too."""
    try:
        said = json.loads(line)
    except ValueError:
        return "panicked" in line
    return said.get("level") == "ERROR" and said.get("target", "").startswith("waxwing")


def started(folder, waxwing):
    """The credentials, once the program answers."""
    file, until = pathlib.Path(folder, "credentials.json"), time.monotonic() + DEADLINE_S
    while waxwing.poll() is None and time.monotonic() < until:
        # Written once it is ready.
        if file.exists():
            return json.loads(file.read_text())
        time.sleep(0.05)
    sys.exit("waxwing did not start")


def fuzz(credentials, seconds, seed, folder):
    """Signs in, and lets schemathesis go."""
    api = credentials["base_url"] + "/api/v1"
    session = requests.Session()
    session.trust_env = False
    key = credentials["api_key"]
    me = session.get(f"{api}/me", headers={"Authorization": f"Bearer {key}"}, timeout=DEADLINE_S).json()
    login = {"email": credentials["admin_email"], "password": credentials["admin_password"]}
    tokens = session.post(f"{api}/auth/login", json=login, timeout=DEADLINE_S).json()
    environment = {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "WAXWING_FUZZ_KEY": key,
        "WAXWING_FUZZ_KEY_ID": me["api_key"]["id"],
        "WAXWING_FUZZ_TOKEN": tokens["access_token"],
    }
    print(f"seed {seed}", flush=True)
    program = [str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml")]
    options = ["--url", api, "--seed", str(seed), "--max-time", str(seconds), "--max-examples", "8", "--warnings", "off"]
    return subprocess.run([*program, "run", f"{api}/openapi.json", *options], cwd=folder, env=environment).returncode


if __name__ == "__main__":
    main()
