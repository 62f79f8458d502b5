use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};
use waxwing_domain::{
    Aggregate, ApiKeyId, DomainEvent, SessionId, WebhookEndpointId,
    account::Account,
    api_key::ApiKey,
    session::{Session, SessionEvent},
    webhook_endpoint::WebhookEndpoint,
};

use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{Commit, FeedItem, Guard, PortError, Records, Row, Write},
    rows,
    views::{ApiKeyView, AuditEntry, SessionView, WebhookView},
};

/// How long an entry is shown. The journal keeps what it says.
const SHOWN: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Who changed what, by account: everything but messages and calls, which have their own lists, and users, who belong to no
/// account: what they change about themselves is nobody's but theirs.
pub struct AuditProjection {
    /// Journal and encryption.
    pub ports: CommandPorts,
    /// Where the rows go.
    pub records: Arc<dyn Records>,
}

#[async_trait]
impl Consumer for AuditProjection {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Account::TYPE, ApiKey::TYPE, Session::TYPE, WebhookEndpoint::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let mut writes = Vec::with_capacity(items.len());
        for FeedItem { commit, .. } in items {
            writes.push(Write::Put(self.row(commit).await?, Guard::Absent));
        }
        match writes.is_empty() {
            true => Ok(()),
            false => self.records.write_each(writes).await.map(drop),
        }
    }
}

impl AuditProjection {
    async fn row(&self, commit: &Commit) -> Result<Row, PortError> {
        let (before, after) = self.states(commit).await?;
        let entry = AuditEntry {
            at: commit.at,
            actor: commit.actor.clone(),
            address: codec::address(&*self.ports.secrets, commit).await?,
            request_id: commit.request_id.clone(),
            resource: commit.stream.id().to_owned(),
            types: commit.types.iter().map(ToString::to_string).collect(),
            changes: changes(&before, &after),
        };
        let key = keys::audit_entry(commit.account, commit.at, &commit.stream, commit.version);
        let expires_at = commit.at.checked_add(SHOWN).ok();
        Ok(Row { expires_at, ..rows::row(key, 1, &entry)? })
    }

    /// What is shown of the thing before the commit and after it.
    async fn states(&self, commit: &Commit) -> Result<(Value, Value), PortError> {
        let (id, unreadable) = (commit.stream.id(), || PortError::Corrupt(commit.stream.to_string()));
        match commit.stream.kind() {
            Session::TYPE => {
                let id = SessionId::parse(id).map_err(|_| unreadable())?;
                let fold = |view, event: SessionEvent| SessionView::after(view, id, event);
                self.folded(commit, None, fold, |view| shown(view.as_ref())).await
            },
            ApiKey::TYPE => {
                let id = ApiKeyId::parse(id).map_err(|_| unreadable())?;
                let shown = |key: &ApiKey| {
                    shown(key.active().map(|created| ApiKeyView::new(id, created, key.rotated_at())))
                };
                self.folded(commit, ApiKey::default(), applied, shown).await
            },
            WebhookEndpoint::TYPE => {
                let id = WebhookEndpointId::parse(id).map_err(|_| unreadable())?;
                let shown = |endpoint: &WebhookEndpoint| {
                    shown(endpoint.active().map(|created| WebhookView::new(id, created)))
                };
                self.folded(commit, WebhookEndpoint::default(), applied, shown).await
            },
            Account::TYPE => {
                let name =
                    |account: &Account| account.created().map(|created| json!({ "name": created.name }));
                let shown = |account: &Account| shown(name(account));
                self.folded(commit, Account::default(), applied, shown).await
            },
            _ => Ok((Value::Null, Value::Null)),
        }
    }

    async fn folded<S, E: DomainEvent>(
        &self,
        commit: &Commit,
        mut state: S,
        fold: impl Fn(S, E) -> S,
        shown: impl Fn(&S) -> Result<Value, PortError>,
    ) -> Result<(Value, Value), PortError> {
        let mut before = Value::Null;
        for earlier in self.ports.journal.read(commit.account, &commit.stream).await? {
            if earlier.version > commit.version {
                break;
            }
            if earlier.version == commit.version {
                before = shown(&state)?;
            }
            for event in codec::open::<E>(&*self.ports.secrets, &earlier).await? {
                state = fold(state, event);
            }
        }
        Ok((before, shown(&state)?))
    }
}

fn applied<A: Aggregate>(mut aggregate: A, event: A::Event) -> A {
    aggregate.apply(event);
    aggregate
}

fn shown(view: Option<impl Serialize>) -> Result<Value, PortError> {
    view.map_or(Ok(Value::Null), serde_json::to_value).map_err(|error| PortError::Corrupt(error.to_string()))
}

/// The fields that differ, each with what it was and what it is.
fn changes(before: &Value, after: &Value) -> Map<String, Value> {
    let (nothing, mut changes) = (Map::new(), Map::new());
    let (before, after) = (before.as_object().unwrap_or(&nothing), after.as_object().unwrap_or(&nothing));
    for field in before.keys().chain(after.keys()) {
        let (was, is) = (before.get(field).unwrap_or(&Value::Null), after.get(field).unwrap_or(&Value::Null));
        if was != is {
            changes.insert(field.clone(), json!({ "before": was, "after": is }));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let (before, after) =
            (json!({ "name": "a", "url": "x", "old": 1 }), json!({ "name": "b", "url": "x" }));
        let told = json!({ "name": { "before": "a", "after": "b" }, "old": { "before": 1, "after": null } });
        assert_eq!(Value::Object(changes(&before, &after)), told);
        assert_eq!(changes(&Value::Null, &json!({ "name": "a" })).len(), 1);
    }
}
