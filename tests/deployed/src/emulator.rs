//! Requests to the emulator itself, past the proxy.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waxwing_tests_api::http_client;

use crate::stack::Stack;

/// The emulator looks at no signature, but takes the service from it.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

/// Calls an operation such as `DynamoDB_20120810.PutItem`.
pub async fn call(stack: &Stack, operation: &str, body: &Value) -> Result<Value> {
    let service = match operation.split('.').next() {
        Some("Logs_20140328") => "logs",
        Some("AmazonSQS") => "sqs",
        _ => "dynamodb",
    };
    let request = http_client()?
        .post(stack.proxy.emulator())
        .header("x-amz-target", operation)
        .header("authorization", authorization(service))
        .header("content-type", "application/x-amz-json-1.1")
        .body(body.to_string());
    answer(operation, request).await
}

/// Calls a function of the template, such as `ProjectorFunction`, and returns its answer.
pub async fn invoke(stack: &Stack, function: &str, event: &Value) -> Result<Value> {
    let functions = format!("{}/2015-03-31/functions", stack.proxy.emulator());
    let request =
        http_client()?.get(format!("{functions}/")).header("authorization", authorization("lambda"));
    let list = answer("ListFunctions", request).await?;
    let names = list["Functions"].as_array().into_iter().flatten();
    let name =
        names.filter_map(|listed| listed["FunctionName"].as_str()).find(|name| name.contains(function));
    let name = name.with_context(|| format!("{function} in {list}"))?;
    let request = http_client()?
        .post(format!("{functions}/{name}/invocations"))
        .header("authorization", authorization("lambda"))
        .body(event.to_string());
    answer(function, request).await
}

/// The mails that SES took for an address.
pub async fn mails_to(stack: &Stack, to: &str) -> Result<Vec<Value>> {
    let request = http_client()?.get(format!("{}/_ministack/ses/messages", stack.proxy.emulator()));
    let told = answer("mails", request).await?;
    let accounts = told["messages"].as_object().context("the accounts")?.values();
    let all = accounts.filter_map(Value::as_array).flatten();
    Ok(all.filter(|mail| mail["To"] == json!([to])).cloned().collect())
}

/// Has SES take mails from an address.
pub async fn verify_sender(stack: &Stack, address: &str) -> Result<()> {
    let request = http_client()?
        .post(format!("{}/v2/email/identities", stack.proxy.emulator()))
        .header("authorization", authorization("ses"))
        .body(json!({ "EmailIdentity": address }).to_string());
    answer("CreateEmailIdentity", request).await.map(drop)
}

async fn answer(what: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{what}: {status} {text}");
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
