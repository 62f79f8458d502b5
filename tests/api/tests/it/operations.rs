//! The operations of the OpenAPI document, as the tests walk them.

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use waxwing_tests_api::{Answer, Client};

use crate::members::send;

/// What an operation needs, as the document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Strangers may.
    Nothing,
    /// Any credential.
    Credential,
    /// The access token of a user.
    User,
    /// This scope.
    Scope(String),
}

/// An operation of the document.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// With the names of its parameters in braces.
    pub path: String,
    pub tag: String,
    pub needs: Needs,
}

impl Operation {
    pub fn has_id(&self) -> bool {
        self.path.contains('{')
    }

    /// A list, or something else that there is one of in an account.
    pub fn reads_all(&self) -> bool {
        self.method == Method::GET && !self.has_id()
    }

    /// Its address, with a value for each parameter.
    pub fn at(&self, value: impl Fn(&str) -> Result<String>) -> Result<String> {
        let mut path = String::new();
        for part in self.path.trim_start_matches('/').split('/') {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            path = format!("{path}/{}", name.map_or(Ok(part.to_owned()), &value)?);
        }
        Ok(path)
    }

    pub async fn call(&self, client: &Client, path: &str, body: Value) -> Result<Answer> {
        let answer = match self.method {
            Method::GET | Method::DELETE => {
                client.raw(self.method.clone(), &format!("/api/v1{path}"), &[], None).await?
            },
            _ => send(client, self.method.clone(), path, body).await?,
        };
        ensure!(answer.status < 500, "{} {path}: {answer:?}", self.id);
        Ok(answer)
    }
}

fn needs(security: &Value) -> Result<Needs> {
    let all = security.as_array().context("security requirements")?;
    let named = |name: &str| all.iter().any(|one| one.get(name).is_some());
    let scopes = all.first().and_then(|one| one["bearer"].as_array()).cloned().unwrap_or_default();
    Ok(match (scopes.as_slice(), named("bearer"), named("api_key")) {
        ([], false, false) => Needs::Nothing,
        ([], true, false) => Needs::User,
        ([], true, true) => Needs::Credential,
        ([scope], true, true)
            if all.iter().all(|one| {
                one.as_object().is_some_and(|one| one.values().all(|of| *of == json!([scope])))
            }) =>
        {
            Needs::Scope(scope.as_str().context("a scope")?.to_owned())
        },
        _ => bail!("security that the test does not know: {security}"),
    })
}

/// All operations of the document that the server serves.
pub async fn operations(client: &Client) -> Result<Vec<Operation>> {
    let document = client.get("/openapi.json").await?.body;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("operations")? {
            let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
            all.push(Operation {
                id: text(&operation["operationId"])?,
                method: method.to_uppercase().parse()?,
                path: path.clone(),
                tag: text(&operation["tags"][0])?,
                needs: needs(&operation["security"]).with_context(|| format!("{method} {path}"))?,
            });
        }
    }
    ensure!(all.len() > 70, "the document has {} operations only", all.len());
    Ok(all)
}
