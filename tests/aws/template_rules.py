"""Rules of our own for template.yaml and infra/: for what the linters let through.

A rule takes the parsed files and returns what is wrong. test_template.py runs them, and shows that each can fail.
"""

import copy
import functools
import json
import logging
import os
import re
import sys
from pathlib import Path

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# SAM wants to know a region, whichever it is.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
APP, NETWORK, HOST, SANDBOX = "template.yaml", "infra/network.yaml", "infra/session-host.yaml", "infra/sandbox.yaml"
COMPOSE = ("infra/compose.yaml", "infra/compose.dev.yaml", "infra/compose.production.yaml")

FUNCTIONS = ("api", "delivery", "mailer", "projector", "scheduler", "webhooks")
ENVIRONMENT = {
    "WAXWING_CLAIMS_TABLE",
    "WAXWING_HASH_KEY_SECRET_ID",
    "WAXWING_INTERNAL_KEY_SECRET_ID",
    "WAXWING_JOURNAL_TABLE",
    "WAXWING_KMS_KEY_ID",
    "WAXWING_LOG_FORMAT",
    "WAXWING_MAILS_DEAD_QUEUE_URL",
    "WAXWING_MAILS_QUEUE_URL",
    "WAXWING_MEDIA_BUCKET",
    "WAXWING_NETWORK",
    "WAXWING_RECEIPTS_DEAD_QUEUE_URL",
    "WAXWING_RECEIPTS_QUEUE_URL",
    "WAXWING_RECORDS_TABLE",
    "WAXWING_SANDBOX_URL",
    "WAXWING_WEBHOOKS_DEAD_QUEUE_URL",
    "WAXWING_WEBHOOKS_QUEUE_URL",
}
# What functions are told besides.
FUNCTION_ENVIRONMENT = ENVIRONMENT | {"WAXWING_MAIL_FROM", "WAXWING_REGISTRATION"}

# Where `*` is allowed, and why. An entry that nothing needs any more is a failure, too.
AWS_POLICIES = {
    "AWSLambdaBasicExecutionRole": "SAM gives it to every function: writing logs, nothing else",
    "AWSLambdaVPCAccessExecutionRole": "Lambda makes and removes network interfaces, whose ids nobody knows before",
}
WILDCARDS = {
    (APP, "DataKey", "kms:*"): "a key policy has to leave the key to the account, or nobody can manage it",
    (APP, "DataKey", "*"): "in a key policy `*` is the key itself",
    (HOST, "ExecutionPolicy", "*"): "ecr:GetAuthorizationToken names no repository",
    (SANDBOX, "ExecutionPolicy", "*"): "ecr:GetAuthorizationToken names no repository",
}


# ---------------------------------------------------------------- reading


class NoPolicies:
    """Stands in for IAM's list of policies, which SAM asks for names that it does not know; the template has none."""

    def load(self):
        return {}


@functools.cache
def files():
    loaded = {name: yaml_parse((ROOT / name).read_text()) for name in (APP, NETWORK, HOST, SANDBOX)}
    return loaded | {name: yaml.safe_load((ROOT / name).read_text()) for name in COMPOSE}


def resources(template, *kinds):
    return {name: it for name, it in template["Resources"].items() if not kinds or it["Type"] in kinds}


def properties(template, *kinds):
    return {name: it.get("Properties", {}) for name, it in resources(template, *kinds).items()}


def functions(app):
    """Functions with what they have from Globals."""
    common = app.get("Globals", {}).get("Function", {})
    return {name: common | own for name, own in properties(app, "AWS::Serverless::Function").items()}


def mappings(app):
    """Event source mappings with the logical names of source and function."""
    for name, mapping in properties(app, "AWS::Lambda::EventSourceMapping").items():
        yield name, mapping, target(mapping["EventSourceArn"]), target(mapping["FunctionName"])


def target(value):
    """The logical name that a Ref or GetAtt names."""
    if isinstance(value, dict):
        if "Ref" in value:
            return value["Ref"]
        if "Fn::GetAtt" in value:
            got = value["Fn::GetAtt"]
            return (got if isinstance(got, list) else got.split("."))[0]
    return None


def walk(value):
    """All maps in a value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def expanded(app):
    """What SAM makes of the template, as AWS gets it: with the roles."""
    app = copy.deepcopy(app)
    for it in properties(app, "AWS::Serverless::Function").values():
        it["CodeUri"] = "s3://as/packaged"
    return transform(app, {}, NoPolicies())


def listed(value):
    return value if isinstance(value, list) else [value]


def alarms(app, metric, dimension):
    """Logical names that an alarm watches by this metric."""
    found = set()
    for alarm in properties(app, "AWS::CloudWatch::Alarm").values():
        if alarm.get("MetricName") == metric:
            found |= {target(it["Value"]) for it in alarm.get("Dimensions", []) if it["Name"] == dimension}
    return found


def containers(template):
    for task in properties(template, "AWS::ECS::TaskDefinition").values():
        yield from task["ContainerDefinitions"]


# ------------------------------------------------------------------ rules


def functions_run_what_is_packaged(all_files):
    """cfn-lint lets a runtime that does not exist through when it stands in Globals."""
    found = functions(all_files[APP])
    folders = sorted(it.get("CodeUri", "") for it in found.values())
    if folders != [f"build/lambda/{name}/" for name in FUNCTIONS]:
        yield f"the functions' folders are {folders}"
    for name, it in found.items():
        if it.get("Runtime") != "provided.al2023" or it.get("Handler") != "bootstrap":
            yield f"{name}: {it.get('Runtime')}, {it.get('Handler')}"


def functions_have_limits_logs_and_alarms(all_files):
    app = all_files[APP]
    logs = properties(app, "AWS::Logs::LogGroup")
    watched = {metric: alarms(app, metric, "FunctionName") for metric in ("Errors", "Throttles")}
    for name, it in functions(app).items():
        if not 1 <= it.get("Timeout", 0) <= 900 or not 128 <= it.get("MemorySize", 0) <= 10240:
            yield f"{name}: no timeout or memory"
        if not logs.get(target(it.get("LoggingConfig", {}).get("LogGroup")), {}).get("RetentionInDays"):
            yield f"{name}: no log group, or one that keeps for ever"
        yield from (f"{name}: no alarm on {metric}" for metric, names in watched.items() if name not in names)


def environment_is_whole(all_files):
    for name, it in functions(all_files[APP]).items():
        if missing := FUNCTION_ENVIRONMENT - set(it.get("Environment", {}).get("Variables", {})):
            yield f"{name}: {sorted(missing)}"
    for it in containers(all_files[HOST]):
        if missing := ENVIRONMENT - {variable["Name"] for variable in it["Environment"]}:
            yield f"{it['Name']}: {sorted(missing)}"


def events_are_known(all_files):
    """Neither linter knows SAM's event types. Routes and mappings are written out (see template.yaml)."""
    for name, it in functions(all_files[APP]).items():
        for event, how in it.get("Events", {}).items():
            if how["Type"] != "ScheduleV2":
                yield f"{name}.{event}: {how['Type']}"


def names_exist(all_files):
    """SAM passes some names on without looking, and so do the linters then."""
    for file in (APP, NETWORK, HOST, SANDBOX):
        template = all_files[file]
        known = set(template["Resources"]) | set(template.get("Parameters", {}))
        conditions = set(template.get("Conditions", {}))
        for value in walk(template):
            names = [target(value)] if "Ref" in value or "Fn::GetAtt" in value else []
            if isinstance(text := value.get("Fn::Sub"), str):
                names += [name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)]
            yield from (f"{file}: {it} is not there" for it in names if not it.startswith("AWS::") and it not in known)
            if "Fn::If" in value and value["Fn::If"][0] not in conditions:
                yield f"{file}: the condition {value['Fn::If'][0]} is not there"


def routes_lead_somewhere(all_files):
    app = all_files[APP]
    integrations = properties(app, "AWS::ApiGatewayV2::Integration")
    authorizers = properties(app, "AWS::ApiGatewayV2::Authorizer")
    routes = properties(app, "AWS::ApiGatewayV2::Route")
    callable_functions = {target(it["FunctionName"]) for it in properties(app, "AWS::Lambda::Permission").values()}
    if "$default" not in {route["RouteKey"] for route in routes.values()}:
        yield "there is no $default route"
    for name, route in routes.items():
        to = re.fullmatch(r"integrations/\$\{(\w+)\}", (route.get("Target") or {}).get("Fn::Sub", ""))
        if not to or to[1] not in integrations:
            yield f"{name}: its integration is not there"
        if route.get("AuthorizationType", "NONE") in ("JWT", "CUSTOM") and target(route.get("AuthorizerId")) not in authorizers:
            yield f"{name}: its authorizer is not there"
    for name, it in integrations.items():
        if it["IntegrationType"] != "AWS_PROXY" or it["PayloadFormatVersion"] != "2.0":
            yield f"{name}: {it['IntegrationType']} {it['PayloadFormatVersion']}"
        if target(it["IntegrationUri"]) not in callable_functions:
            yield f"{name}: the gateway may not call its function"


def feed_is_consumed_safely(all_files):
    app = all_files[APP]
    consumers = set()
    for name, it, source, function in mappings(app):
        if source != "JournalTable":
            continue
        consumers.add(function)
        if not 1 <= it.get("BatchSize", 0) <= 10_000 or it.get("MaximumBatchingWindowInSeconds") != 0:
            yield f"{name}: batches"
        if it.get("ParallelizationFactor") != 1:
            yield f"{name}: commits of a stream could overtake each other"
        if it.get("BisectBatchOnFunctionError") is not True or it.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad commit holds up or repeats the others"
        if not 1 <= it.get("MaximumRetryAttempts", -1) <= 10_000:
            yield f"{name}: tries without end"
        if not it.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
            yield f"{name}: what fails is gone"
        if it.get("StartingPosition") != "TRIM_HORIZON":
            yield f"{name}: what was committed before it is gone"
        if function not in alarms(app, "IteratorAge", "FunctionName"):
            yield f"{name}: no alarm when it falls behind"
        for wanted in it.get("FilterCriteria", {}).get("Filters", []):
            try:
                if set(json.loads(wanted["Pattern"])) - {"eventName", "dynamodb"}:
                    yield f"{name}: its filter asks for what no record has"
            except ValueError:
                yield f"{name}: its filter is no JSON"
    if consumers != {"ProjectorFunction", "DeliveryFunction"}:
        yield f"the feed's consumers are {sorted(consumers)}"


def jobs_are_taken_safely(all_files):
    app = all_files[APP]
    timeouts = {name: it["Timeout"] for name, it in functions(app).items()}
    queues = properties(app, "AWS::SQS::Queue")
    for name, it, source, function in mappings(app):
        if source not in queues:
            continue
        if queues[source].get("VisibilityTimeout", 30) < 6 * timeouts[function]:
            yield f"{source}: visible again before {function} has had its time six times"
        if not 1 <= it.get("BatchSize", 0) <= 10:
            yield f"{name}: more than 10 at once want a batching window"
        if it.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad job repeats the others"
        if not 2 <= it.get("ScalingConfig", {}).get("MaximumConcurrency", 0) <= 1000:
            yield f"{name}: no bound on its concurrency"


def queues_keep_what_fails(all_files):
    app = all_files[APP]
    queues = properties(app, "AWS::SQS::Queue")
    dead = {target(it["RedrivePolicy"]["deadLetterTargetArn"]) for it in queues.values() if "RedrivePolicy" in it}
    failures = {target(it.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")) for _, it, _, _ in mappings(app)}
    ends = (dead | failures) & set(queues)
    for name, it in queues.items():
        if it.get("SqsManagedSseEnabled") is not True and "KmsMasterKeyId" not in it:
            yield f"{name}: not encrypted"
        if name in ends:
            if it.get("MessageRetentionPeriod") != 1_209_600:
                yield f"{name}: kept for less than the 14 days that SQS can"
            if name not in alarms(app, "ApproximateNumberOfMessagesVisible", "QueueName"):
                yield f"{name}: no alarm when something is in it"
            continue
        if "RedrivePolicy" not in it:
            yield f"{name}: no dead letter queue"
        if name not in alarms(app, "ApproximateAgeOfOldestMessage", "QueueName"):
            yield f"{name}: no alarm when jobs wait"


def tables_are_safe(all_files):
    app = all_files[APP]
    tables = resources(app, "AWS::DynamoDB::Table")
    if set(tables) != {"JournalTable", "ClaimsTable", "RecordsTable"}:
        yield f"the tables are {sorted(tables)}"
    for name, table in tables.items():
        it = table["Properties"]
        if it.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name}: not on demand"
        if it.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name}: no point in time recovery"
        if "DeletionProtectionEnabled" not in it or table.get("DeletionPolicy") != "Retain" or table.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: may be deleted"
        if it.get("TimeToLiveSpecification") != (None if name == "JournalTable" else {"AttributeName": "ttl", "Enabled": True}):
            yield f"{name}: time to live"
        if it.get("StreamSpecification") != ({"StreamViewType": "NEW_IMAGE"} if name == "JournalTable" else None):
            yield f"{name}: stream"
        for index in it.get("GlobalSecondaryIndexes", []):
            if index["Projection"] != {"ProjectionType": "KEYS_ONLY"}:
                yield f"{name}: the index {index['IndexName']} copies rows"
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
            if name not in alarms(app, metric, "TableName"):
                yield f"{name}: no alarm on {metric}"


def buckets_are_private(all_files):
    app = all_files[APP]
    secure = set()
    for policy in properties(app, "AWS::S3::BucketPolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
                secure.add(target(policy["Bucket"]))
    for name, it in properties(app, "AWS::S3::Bucket").items():
        blocked = it.get("PublicAccessBlockConfiguration", {})
        if len(blocked) != 4 or not all(value is True for value in blocked.values()):
            yield f"{name}: may be made public"
        if not it.get("BucketEncryption"):
            yield f"{name}: its encryption is not said"
        if name not in secure:
            yield f"{name}: takes requests without TLS"


def keys_and_secrets_are_made_by_aws(all_files):
    app = all_files[APP]
    for name, it in properties(app, "AWS::KMS::Key").items():
        if it.get("EnableKeyRotation") is not True:
            yield f"{name}: not rotated"
    for name, it in properties(app, "AWS::SecretsManager::Secret").items():
        if "SecretString" in it or it.get("GenerateSecretString", {}).get("PasswordLength", 0) < 32:
            yield f"{name}: not drawn by AWS, or too short for the code"


def wildcards(all_files):
    """Every `*` that a policy allows: (file, resource, what)."""
    for file in (APP, NETWORK, HOST, SANDBOX):
        template = all_files[file]
        if "Transform" in template:
            template = expanded(template)
        for name, it in resources(template).items():
            for value in walk(it.get("Properties", {})):
                for arn in listed(value.get("ManagedPolicyArns", [])):
                    if isinstance(arn, str):
                        yield file, name, arn.split("/")[-1]
                if value.get("Effect") != "Allow":
                    continue
                yield from ((file, name, it) for it in listed(value.get("Action", [])) if "*" in it)
                for resource in listed(value.get("Resource", [])):
                    text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
                    # What is in a bucket and the indexes of a table have no other name.
                    if "*" in text.removesuffix("/*"):
                        yield file, name, text
                if value.get("Principal") in ("*", {"AWS": "*"}):
                    yield file, name, "anybody"


def policies_are_narrow(all_files):
    found = set(wildcards(all_files))
    aws_policies = {what for _, _, what in found if what in AWS_POLICIES}
    for file, name, what in sorted(found):
        if what not in AWS_POLICIES and (file, name, what) not in WILDCARDS:
            yield f"{file}, {name}: {what}"
    yield from (f"nothing needs the exception {it}" for it in (AWS_POLICIES.keys() - aws_policies) | (WILDCARDS.keys() - found))


def containers_can_do_little(all_files):
    for file in (HOST, SANDBOX):
        for it in containers(all_files[file]):
            if it.get("ReadonlyRootFilesystem") is not True or it.get("User", "0").split(":")[0] in ("0", "root"):
                yield f"{file}: root, or a file system to write on"
            if it.get("LinuxParameters", {}).get("Capabilities", {}).get("Drop") != ["ALL"]:
                yield f"{file}: capabilities"
            if "HealthCheck" not in it:
                yield f"{file}: no health check"
            if file == HOST and not 60 <= it.get("StopTimeout", 30) <= 120:
                yield f"{file}: no time to drain"


def hosts_are_missed(all_files):
    for alarm in properties(all_files[HOST], "AWS::CloudWatch::Alarm").values():
        if (alarm["Namespace"], alarm["MetricName"], alarm["TreatMissingData"]) == ("Waxwing", "HostHeartbeat", "breaching"):
            return
    yield "no alarm when no host lives"


def outdated_clients_alarm(all_files):
    for alarm in properties(all_files[HOST], "AWS::CloudWatch::Alarm").values():
        if (alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == ("ClientOutdated", "Maximum", 1):
            return
    yield "no alarm when WhatsApp refuses the client"


def only_named_doors_are_open(all_files):
    """Nothing but groups of ours may come in, and a private subnet stays private."""
    network = all_files[NETWORK]
    for name, it in properties(network, "AWS::EC2::SecurityGroup").items():
        if any("SourceSecurityGroupId" not in rule for rule in it.get("SecurityGroupIngress", [])):
            yield f"{name}: lets addresses in"
        if not it.get("SecurityGroupEgress"):
            yield f"{name}: AWS would let everything out"
    for name, it in properties(network, "AWS::EC2::Route").items():
        if target(it["RouteTableId"]) != "PublicRoutes":
            yield f"{name}: a way out of the private subnets"


def compose_files_are_safe(all_files):
    for file in COMPOSE:
        for name, service in all_files[file]["services"].items():
            if "build" not in service and not re.search(r":\d+\.\d+[\w.-]*$", service["image"]):
                yield f"{file}, {name}: the image's version is open"
            if name != "proxy" and any(not port.startswith("127.0.0.1:") for port in service.get("ports", [])):
                yield f"{file}, {name}: reachable from outside"
            if name == "waxwing" and (service.get("read_only") is not True or service.get("cap_drop") != ["ALL"] or "healthcheck" not in service):
                yield f"{file}, {name}: can do more than it has to"
            secret = re.compile(r"(?i)(secret|password|token|key)")
            if any(secret.search(variable) and value for variable, value in service.get("environment", {}).items()):
                yield f"{file}, {name}: a default secret"
    if all_files[COMPOSE[2]]["services"]["waxwing"].get("restart") != "unless-stopped":
        yield f"{COMPOSE[2]}: stays down after a failure"


RULES = (
    functions_run_what_is_packaged,
    functions_have_limits_logs_and_alarms,
    environment_is_whole,
    events_are_known,
    names_exist,
    routes_lead_somewhere,
    feed_is_consumed_safely,
    jobs_are_taken_safely,
    queues_keep_what_fails,
    tables_are_safe,
    buckets_are_private,
    keys_and_secrets_are_made_by_aws,
    policies_are_narrow,
    containers_can_do_little,
    hosts_are_missed,
    outdated_clients_alarm,
    only_named_doors_are_open,
    compose_files_are_safe,
)
