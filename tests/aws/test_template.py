"""Checks of template.yaml and infra/: what the linters know, and the rules of template_rules.py.

Run from the repository's root, with a Python that has tests/aws/requirements.txt:

    python tests/aws/test_template.py

Each rule is shown to be able to fail: MUTATIONS breaks the real files in the ways it is there to find.
"""

import copy
import functools
import os
import subprocess
import unittest

from template_rules import (
    APP,
    COMPOSE,
    HOST,
    NETWORK,
    PROGRAMS,
    ROOT,
    RULES,
    SANDBOX,
    buckets_are_private,
    compose_files_are_safe,
    containers_can_do_little,
    environment_is_whole,
    events_are_known,
    feed_is_consumed_safely,
    files,
    functions_have_limits_logs_and_alarms,
    functions_run_what_is_packaged,
    hosts_are_missed,
    jobs_are_taken_safely,
    keys_and_secrets_are_made_by_aws,
    names_exist,
    only_named_doors_are_open,
    outdated_clients_alarm,
    policies_are_narrow,
    queues_keep_what_fails,
    routes_lead_somewhere,
    tables_are_safe,
)

# -------------------------------------------------------------- mutations

GONE = object()


def resource(name, *path):
    return ("Resources", name, "Properties", *path)


CONTAINER = resource("Task", "ContainerDefinitions", 0)
STATEMENT = resource("EnginePolicy", "PolicyDocument", "Statement", 0)
JWT = {"AuthorizationType": "JWT", "AuthorizerId": {"Ref": "Nobody"}, "RouteKey": "$default", "Target": {"Fn::Sub": "integrations/${HttpApiIntegration}"}}

# Rule, file, place, and what is put there.
MUTATIONS = (
    (functions_run_what_is_packaged, APP, ("Globals", "Function", "Runtime"), "provided.al2033"),
    (functions_run_what_is_packaged, APP, ("Globals", "Function", "Handler"), "main"),
    (functions_run_what_is_packaged, APP, resource("ApiFunction", "CodeUri"), "build/lambda/apy/"),
    (functions_run_what_is_packaged, APP, ("Resources", "WebhooksFunction"), GONE),
    (functions_have_limits_logs_and_alarms, APP, resource("ApiFunction", "Timeout"), GONE),
    (functions_have_limits_logs_and_alarms, APP, ("Globals", "Function", "MemorySize"), GONE),
    (functions_have_limits_logs_and_alarms, APP, resource("ApiFunction", "LoggingConfig"), GONE),
    (functions_have_limits_logs_and_alarms, APP, resource("ApiLogs", "RetentionInDays"), GONE),
    (functions_have_limits_logs_and_alarms, APP, ("Resources", "SchedulerErrors"), GONE),
    (functions_have_limits_logs_and_alarms, APP, resource("ApiThrottles", "Dimensions", 0, "Value"), {"Ref": "DeliveryFunction"}),
    (environment_is_whole, APP, ("Globals", "Function", "Environment", "Variables", "WAXWING_KMS_KEY_ID"), GONE),
    (environment_is_whole, APP, resource("ApiFunction", "Environment"), {"Variables": {}}),
    (environment_is_whole, HOST, (*CONTAINER, "Environment", 0, "Name"), "WAXWING_NETWROK"),
    (events_are_known, APP, resource("SchedulerFunction", "Events", "EachMinute", "Type"), "ScheduleV3"),
    (events_are_known, APP, resource("ApiFunction", "Events"), {"All": {"Type": "HttpApi"}}),
    (names_exist, APP, resource("ApiFunction", "LoggingConfig", "LogGroup"), {"Ref": "ApyLogs"}),
    (names_exist, APP, resource("ApiFunction", "Policies", 0), {"Ref": "EnginPolicy"}),
    (names_exist, APP, resource("ApiFunction", "VpcConfig", "Fn::If", 0), "InVcp"),
    (names_exist, HOST, (*CONTAINER, "Image"), {"Fn::Sub": "${Repo}:${ImageTag}"}),
    (routes_lead_somewhere, APP, resource("HttpApiRoute", "Target"), {"Fn::Sub": "integrations/${HttpApiStage}"}),
    (routes_lead_somewhere, APP, resource("HttpApiRoute", "RouteKey"), "GET /"),
    (routes_lead_somewhere, APP, resource("HttpApiRoute"), JWT),
    (routes_lead_somewhere, APP, resource("HttpApiIntegration", "PayloadFormatVersion"), "1.0"),
    (routes_lead_somewhere, APP, ("Resources", "HttpApiPermission"), GONE),
    (feed_is_consumed_safely, APP, resource("ProjectorMapping", "BatchSize"), 20_000),
    (feed_is_consumed_safely, APP, resource("ProjectorMapping", "MaximumBatchingWindowInSeconds"), 5),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "ParallelizationFactor"), 2),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "BisectBatchOnFunctionError"), GONE),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "FunctionResponseTypes"), GONE),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "MaximumRetryAttempts"), -1),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "DestinationConfig"), GONE),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "StartingPosition"), "LATEST"),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "FilterCriteria", "Filters", 0, "Pattern"), '{"prefix": "["message."}'),
    (feed_is_consumed_safely, APP, resource("DeliveryMapping", "FilterCriteria", "Filters", 0, "Pattern"), '{"NewImage": {}}'),
    (feed_is_consumed_safely, APP, ("Resources", "ProjectorMapping"), GONE),
    (feed_is_consumed_safely, APP, ("Resources", "DeliveryLag"), GONE),
    (jobs_are_taken_safely, APP, resource("WebhooksQueue", "VisibilityTimeout"), 359),
    (jobs_are_taken_safely, APP, resource("WebhooksFunction", "Timeout"), 61),
    (jobs_are_taken_safely, APP, resource("WebhooksMapping", "BatchSize"), 20_000),
    (jobs_are_taken_safely, APP, resource("WebhooksMapping", "FunctionResponseTypes"), GONE),
    (jobs_are_taken_safely, APP, resource("WebhooksMapping", "ScalingConfig"), GONE),
    (queues_keep_what_fails, APP, resource("WebhooksQueue", "SqsManagedSseEnabled"), GONE),
    (queues_keep_what_fails, APP, resource("WebhooksQueue", "RedrivePolicy"), GONE),
    (queues_keep_what_fails, APP, resource("WebhooksDeadQueue", "MessageRetentionPeriod"), GONE),
    (queues_keep_what_fails, APP, ("Resources", "FeedFailures"), GONE),
    (queues_keep_what_fails, APP, ("Resources", "ReceiptsAge"), GONE),
    (queues_keep_what_fails, APP, ("Resources", "MailsDead"), GONE),
    (tables_are_safe, APP, resource("JournalTable", "StreamSpecification", "StreamViewType"), "KEYS_ONLY"),
    (tables_are_safe, APP, resource("JournalTable", "BillingMode"), GONE),
    (tables_are_safe, APP, resource("JournalTable", "TimeToLiveSpecification"), {"AttributeName": "ttl", "Enabled": True}),
    (tables_are_safe, APP, resource("ClaimsTable", "TimeToLiveSpecification"), GONE),
    (tables_are_safe, APP, resource("RecordsTable", "PointInTimeRecoverySpecification"), GONE),
    (tables_are_safe, APP, resource("RecordsTable", "GlobalSecondaryIndexes", 0, "Projection", "ProjectionType"), "ALL"),
    (tables_are_safe, APP, resource("RecordsTable", "DeletionProtectionEnabled"), GONE),
    (tables_are_safe, APP, ("Resources", "ClaimsTable", "DeletionPolicy"), GONE),
    (tables_are_safe, APP, ("Resources", "ClaimsWriteThrottles"), GONE),
    (tables_are_safe, APP, ("Resources", "ClaimsTable"), GONE),
    (buckets_are_private, APP, resource("MediaBucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy"), False),
    (buckets_are_private, APP, resource("DashboardBucket", "PublicAccessBlockConfiguration"), GONE),
    (buckets_are_private, APP, resource("MediaBucket", "BucketEncryption"), GONE),
    (buckets_are_private, APP, ("Resources", "MediaBucketPolicy"), GONE),
    (keys_and_secrets_are_made_by_aws, APP, resource("DataKey", "EnableKeyRotation"), GONE),
    (keys_and_secrets_are_made_by_aws, APP, resource("HashKeySecret", "SecretString"), "0" * 64),
    (keys_and_secrets_are_made_by_aws, APP, resource("InternalKeySecret", "GenerateSecretString", "PasswordLength"), 31),
    (policies_are_narrow, APP, (*STATEMENT, "Action"), "dynamodb:*"),
    (policies_are_narrow, APP, (*STATEMENT, "Action"), ["dynamodb:Get*", "dynamodb:Query"]),
    (policies_are_narrow, APP, (*STATEMENT, "Resource"), "*"),
    (policies_are_narrow, APP, (*STATEMENT, "Resource"), {"Fn::Sub": "arn:aws:dynamodb:*:${AWS::AccountId}:table/*"}),
    (policies_are_narrow, APP, resource("DashboardBucketPolicy", "PolicyDocument", "Statement", 0, "Principal"), "*"),
    (policies_are_narrow, APP, resource("WebhooksFunction", "Policies", 0), "arn:aws:iam::aws:policy/AmazonSQSFullAccess"),
    (policies_are_narrow, APP, resource("DataKey", "KeyPolicy", "Statement", 0, "Action"), "kms:Decrypt"),
    (policies_are_narrow, HOST, resource("ExecutionPolicy", "PolicyDocument", "Statement", 1, "Resource"), "arn:aws:ecr:*"),
    (containers_can_do_little, HOST, (*CONTAINER, "ReadonlyRootFilesystem"), GONE),
    (containers_can_do_little, HOST, (*CONTAINER, "User"), GONE),
    (containers_can_do_little, HOST, (*CONTAINER, "StopTimeout"), GONE),
    (containers_can_do_little, SANDBOX, (*CONTAINER, "User"), "0:0"),
    (containers_can_do_little, SANDBOX, (*CONTAINER, "HealthCheck"), GONE),
    (containers_can_do_little, SANDBOX, (*CONTAINER, "LinuxParameters"), GONE),
    (hosts_are_missed, HOST, resource("NoHeartbeat", "TreatMissingData"), "notBreaching"),
    (outdated_clients_alarm, HOST, resource("ClientOutdated", "MetricName"), "HostHeartbeat"),
    (only_named_doors_are_open, NETWORK, resource("HostsGroup", "SecurityGroupIngress", 0), {"IpProtocol": "tcp", "CidrIp": "0.0.0.0/0"}),
    (only_named_doors_are_open, NETWORK, resource("HostsGroup", "SecurityGroupEgress"), GONE),
    (only_named_doors_are_open, NETWORK, resource("InternetRoute", "RouteTableId"), {"Ref": "PrivateRoutes"}),
    (compose_files_are_safe, COMPOSE[0], ("services", "localstack", "image"), "localstack/localstack:latest"),
    (compose_files_are_safe, COMPOSE[0], ("services", "localstack", "ports"), ["4566:4566"]),
    (compose_files_are_safe, COMPOSE[1], ("services", "waxwing", "read_only"), GONE),
    (compose_files_are_safe, COMPOSE[2], ("services", "waxwing", "environment"), {"WAXWING_API_KEY": "changeme"}),
    (compose_files_are_safe, COMPOSE[2], ("services", "waxwing", "restart"), GONE),
)


def mutated(file, place, value):
    """The files, with `value` at a place of one of them."""
    changed = files() | {file: copy.deepcopy(files()[file])}
    *way, last = place
    holder = functools.reduce(lambda at, step: at[step], way, changed[file])
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return changed


# ------------------------------------------------------------------ tests


class Rules(unittest.TestCase):
    """Our own rules."""

    def test_the_files_keep_every_rule(self):
        for rule in RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(list(rule(files())), [])

    def test_every_rule_finds_what_it_is_there_to_find(self):
        for rule, file, place, value in MUTATIONS:
            with self.subTest(f"{rule.__name__}: {file} {'.'.join(map(str, place))}"):
                self.assertNotEqual(list(rule(mutated(file, place, value))), [])

    def test_every_rule_is_mutated(self):
        self.assertEqual({rule for rule, *_ in MUTATIONS}, set(RULES))


class Linters(unittest.TestCase):
    """What AWS's own linters say. They need neither network nor credentials."""

    def run_program(self, *command):
        environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
        ran = subprocess.run(
            [PROGRAMS / command[0], *command[1:]],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=300, check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout)

    def test_cfn_lint_finds_nothing(self):
        self.run_program("cfn-lint", "--regions", "us-east-1", "--", APP, NETWORK, HOST, SANDBOX)

    def test_sam_validates_the_template(self):
        self.run_program("sam", "validate", "--lint", "--template", APP, "--region", "us-east-1")


if __name__ == "__main__":
    unittest.main()
