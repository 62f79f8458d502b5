"""Deploys template.yaml on an emulator of AWS on this machine and runs all of it: functions, session host, sandbox.

`cargo xtask up --aws` calls it. What runs ends with it: at Ctrl-C, SIGTERM, or when its standard input closes.

    python infra/local/stack.py --bin-dir target/debug --data-dir ./data-aws --listen 127.0.0.1:8080

Writes DATA_DIR/credentials.json, as `waxwing up` does, and DATA_DIR/stack.json: which processes run, and the environment
of the deployment, for `waxwing-admin` and for tests.
"""

import argparse
import ctypes
import http.client
import http.server
import json
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile
from pathlib import Path

import boto3
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {
    "ApiFunction": "api",
    "ProjectorFunction": "projector",
    "DeliveryFunction": "delivery",
    "WebhooksFunction": "webhooks",
    "MailerFunction": "mailer",
    "SchedulerFunction": "scheduler",
}
STACK, BUCKET, REGION = "waxwing", "waxwing-code", "us-east-1"
READY_S = 120


def progress(text):
    print(f"  {time.monotonic() - BEGAN:6.2f} s  {text}", file=sys.stderr, flush=True)


BEGAN = time.monotonic()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def dies_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: nothing is left behind when this program is killed


def start(command, log, **environment):
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log.open("ab"),
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        preexec_fn=dies_with_us,
    )


def wait_for(what, ask, process=None, log=None):
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if process and process.poll() is not None:
            break
        try:
            if answer := ask():
                return answer
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
    sys.exit(f"{what} did not come up; the end of its log:\n{tail}")


def get(url):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    connection.request("GET", parts.path or "/")
    return connection.getresponse().status < 500


class Emulator:
    """ministack, or one that runs already, such as LocalStack."""

    def __init__(self, folder, url, port, via):
        self.process = None
        self.url = url or f"http://127.0.0.1:{port or free_port()}"
        # Emulators take any credentials, but want some.
        self.environment = {
            "AWS_ENDPOINT_URL": via or self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        os.environ.update(self.environment)
        if url:
            return
        log = folder / "emulator.log"
        port = urllib.parse.urlsplit(self.url).port
        self.process = start(
            [Path(sys.executable).parent / "ministack"], log, BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port)
        )
        wait_for("the emulator", lambda: get(self.url + "/_ministack/health"), self.process, log)

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION)

    def stop(self):
        if self.process:
            functions = children(self.process.pid)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            for pid in functions:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def children(parent):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def template_with_code(emulator, binaries, folder):
    """template.yaml as `sam package` would make it: the code uploaded, and its place written in."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    store = emulator.client("s3")
    store.create_bucket(Bucket=BUCKET)
    for resource, name in FUNCTIONS.items():
        archive = folder / f"{name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            packed.writestr(entry, (binaries / name).read_bytes())
        store.upload_file(str(archive), BUCKET, f"{name}.zip")
        archive.unlink()
        template["Resources"][resource]["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": f"{name}.zip"}
    return json.dumps(template)


def deploy(emulator, template, sandbox_url, mail_from):
    formation = emulator.client("cloudformation")
    parameters = {
        "Network": "sandbox",
        "SandboxUrl": sandbox_url,
        "MailFrom": mail_from,
        "Architecture": "arm64" if platform.machine() == "aarch64" else "x86_64",
        "DeletionProtection": "false",
    }
    formation.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        if "FAILED" in stack["StackStatus"] or "ROLLBACK" in stack["StackStatus"]:
            break
        time.sleep(0.1)
    events = formation.describe_stack_events(StackName=STACK)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]
    sys.exit("the stack was not created: " + "; ".join(reasons))


def settings(outputs, sandbox_url):
    """The environment that the template gives to every function."""
    return {
        "WAXWING_NETWORK": "sandbox",
        "WAXWING_SANDBOX_URL": sandbox_url,
        "WAXWING_JOURNAL_TABLE": outputs["JournalTable"],
        "WAXWING_CLAIMS_TABLE": outputs["ClaimsTable"],
        "WAXWING_RECORDS_TABLE": outputs["RecordsTable"],
        "WAXWING_KMS_KEY_ID": outputs["DataKey"],
        "WAXWING_HASH_KEY_SECRET_ID": outputs["HashKeySecret"],
        "WAXWING_INTERNAL_KEY_SECRET_ID": outputs["InternalKeySecret"],
        "WAXWING_WEBHOOKS_QUEUE_URL": outputs["WebhooksQueue"],
        "WAXWING_WEBHOOKS_DEAD_QUEUE_URL": outputs["WebhooksDeadQueue"],
        "WAXWING_RECEIPTS_QUEUE_URL": outputs["ReceiptsQueue"],
        "WAXWING_RECEIPTS_DEAD_QUEUE_URL": outputs["ReceiptsDeadQueue"],
        "WAXWING_MAILS_QUEUE_URL": outputs["MailsQueue"],
        "WAXWING_MAILS_DEAD_QUEUE_URL": outputs["MailsDeadQueue"],
        "WAXWING_MEDIA_BUCKET": outputs["MediaBucket"],
    }


class Front(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the API's host name, which nobody can look up here."""

    protocol_version = "HTTP/1.1"
    api_host = emulator = ""
    HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}

    def pass_on(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in self.HOP}
        parts = urllib.parse.urlsplit(self.emulator)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, {**headers, "Host": self.api_host})
            answer = connection.getresponse()
            content = answer.read()
            status, answered = answer.status, answer.getheaders()
        except (OSError, http.client.HTTPException) as error:
            status, answered, content = 502, [], str(error).encode()
        finally:
            connection.close()
        self.send_response(status)
        for name, value in answered:
            if name.lower() not in self.HOP:
                self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = pass_on

    def log_message(self, *_):
        pass


def first_account(binaries, environment):
    command = [binaries / "waxwing-admin", "account", "create", "--name", "Waxwing", "--email", "admin@waxwing.localhost"]
    made = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        sys.exit(f"the first account was not made: {made.stderr}")
    return json.loads(made.stdout)


def write_private(path, value):
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, indent=2)


def run(arguments):
    folder, binaries = arguments.data_dir, arguments.bin_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    emulator = Emulator(folder, arguments.emulator_url, arguments.emulator_port, arguments.via)
    progress(f"emulator at {emulator.url}")
    sandbox_port = free_port()
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    outputs = deploy(emulator, template_with_code(emulator, binaries, folder), sandbox_url, arguments.mail_from)
    progress("stack created")
    environment = {**emulator.environment, **settings(outputs, sandbox_url)}
    secret = emulator.client("secretsmanager").get_secret_value(SecretId=outputs["InternalKeySecret"])["SecretString"]

    sandbox_folder, sandbox_log = folder / "sandbox", folder / "sandbox.log"
    sandbox = start(
        [binaries / "waxwing", "sandbox", "--listen", f"127.0.0.1:{sandbox_port}", "--data-dir", sandbox_folder],
        sandbox_log,
        WAXWING_INTERNAL_KEY=secret,
    )
    wait_for("the sandbox", lambda: get(sandbox_url), sandbox, sandbox_log)
    progress("sandbox runs")

    host_log = folder / "session-host.log"

    def start_host():
        listen = f"127.0.0.1:{free_port()}"
        host = start([binaries / "waxwing-session-host"], host_log, **environment, WAXWING_LISTEN=listen)
        wait_for("the session host", lambda: get(f"http://{listen}/health"), host, host_log)
        return host

    hosts = [start_host() for _ in range(arguments.hosts)]
    progress("session host runs" if len(hosts) == 1 else f"{len(hosts)} session hosts run")

    address, port = arguments.listen.rsplit(":", 1)
    Front.emulator, Front.api_host = emulator.url, urllib.parse.urlsplit(outputs["ApiUrl"]).netloc
    front = http.server.ThreadingHTTPServer((address, int(port)), Front)
    front.daemon_threads = True
    threading.Thread(target=front.serve_forever, daemon=True).start()
    base_url = f"http://{address}:{front.server_port}"
    wait_for("the API", lambda: get(base_url + "/ready"))
    made = first_account(binaries, environment)
    credentials = {
        "base_url": base_url,
        "admin_email": made["owner_email"],
        "admin_password": made["owner_password"],
        "account_id": made["account_id"],
        "api_key": made["api_key"],
    }

    def tell():
        pids = {"hosts": [host.pid for host in hosts], "sandbox": sandbox.pid}
        if emulator.process:
            pids["emulator"] = emulator.process.pid
        unfinished = folder / "stack.json.new"
        write_private(unfinished, {"base_url": base_url, "pids": pids, "environment": environment})
        unfinished.rename(folder / "stack.json")

    tell()
    write_private(folder / "credentials.json", credentials)
    progress("ready")
    print(f"\nWaxwing is ready on an emulator of AWS, with the sandbox network.\n\n  API            {base_url}/api/v1")
    print(f"  API reference  {base_url}/api/docs\n  credentials    {folder / 'credentials.json'}", flush=True)
    print("\nFirst steps: the two-minute walk in README.md. Stop with Ctrl-C.\n", flush=True)
    try:
        while True:
            if arguments.until_stdin_closes and select.select([sys.stdin], [], [], 0.2)[0] and not sys.stdin.read(1):
                return
            if not arguments.until_stdin_closes:
                time.sleep(0.2)
            # As ECS would.
            for place, host in enumerate(hosts):
                if host.poll() is not None:
                    progress("a session host ended, and starts anew")
                    hosts[place] = start_host()
                    tell()
    finally:
        progress("stopping")
        for process in (*hosts, sandbox):
            process.terminate()
        for process in (*hosts, sandbox):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        emulator.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True, help="where the built binaries are")
    parser.add_argument("--data-dir", type=Path, default=Path("./data-aws"), help="credentials, logs and the sandbox's file")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="where the API listens; port 0 takes a free one")
    parser.add_argument("--emulator-url", help="an emulator that runs already, such as LocalStack at http://127.0.0.1:4566")
    parser.add_argument("--emulator-port", type=int, help="where the emulator that is started listens; a free port unless given")
    parser.add_argument("--via", metavar="URL", help="what all processes take for the emulator: a proxy that counts, or disturbs")
    parser.add_argument("--hosts", type=int, default=1, choices=range(1, 9), help="how many session hosts share the sessions")
    parser.add_argument("--mail-from", default="", metavar="ADDRESS", help="mails go out by SES from this address; unless given, they are kept")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input closes")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run(parser.parse_args())
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
