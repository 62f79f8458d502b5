use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};
use waxwing_domain::{
    Aggregate, ApiKeyId, DomainEvent, Feature, SessionId, UserId, WebhookEndpointId,
    account::Account,
    api_key::ApiKey,
    feature::Features,
    session::{Session, SessionEvent},
    user::User,
    webhook_endpoint::WebhookEndpoint,
};

use super::by_stream;
use crate::{
    codec,
    execute::CommandPorts,
    feed::Consumer,
    keys,
    ports::{Bounds, Commit, FeedItem, Guard, PortError, Query, Records, Row, StreamName, Write},
    rows,
    views::{ApiKeyView, AuditEntry, SessionView, UserView, WebhookView},
};

/// How long an entry is shown. The journal keeps what it says.
const SHOWN: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Entries of a user who is gone that are removed at once.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// Who changed what: by account, everything but messages and calls, which have their own lists; by user, what users change
/// about themselves, which only the operator sees; and the switches of the deployment.
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
        &[Account::TYPE, ApiKey::TYPE, Features::TYPE, Session::TYPE, User::TYPE, WebhookEndpoint::TYPE]
    }

    async fn handle(&self, items: &[FeedItem]) -> Result<(), PortError> {
        let (mut writes, mut users) = (Vec::with_capacity(items.len()), Vec::new());
        for ((account, stream), commits) in by_stream(items) {
            let whole = self.ports.journal.read(account, &stream).await?;
            if is_gone(&stream, &whole) {
                self.forget(&stream).await?;
                continue;
            }
            let news: BTreeSet<u64> = commits.iter().map(|commit| commit.version).collect();
            let rows = rows_of(&self.ports, &stream, &whole, &|version| news.contains(&version)).await?;
            writes.extend(rows.into_iter().map(|row| Write::Put(row, Guard::Absent)));
            if stream.kind() == User::TYPE {
                users.push((account, stream));
            }
        }
        if !writes.is_empty() {
            self.records.write_each(writes).await?;
        }
        for (account, stream) in users {
            // Where commits are handled a second time, the user's end may have been handled since they were read.
            if is_gone(&stream, &self.ports.journal.read(account, &stream).await?) {
                self.forget(&stream).await?;
            }
        }
        Ok(())
    }
}

impl AuditProjection {
    /// Removes what is shown of a user who is gone. Nothing comes back: who writes entries of a user looks at the whole
    /// stream before and after.
    async fn forget(&self, stream: &StreamName) -> Result<(), PortError> {
        loop {
            let forgotten = forgotten(&*self.records, stream).await?;
            let count = forgotten.len();
            if count > 0 {
                self.records.write_each(forgotten).await?;
            }
            if count < FORGOTTEN_AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// What removes the first [`FORGOTTEN_AT_ONCE`] entries that are there of a user.
async fn forgotten(records: &dyn Records, stream: &StreamName) -> Result<Vec<Write>, PortError> {
    let user = UserId::parse(stream.id()).map_err(|_| unreadable(stream))?;
    let query = Query {
        index: 0,
        partition: keys::audit_of_user(user),
        bounds: Bounds::default(),
        descending: false,
        limit: FORGOTTEN_AT_ONCE,
    };
    let found = records.query(query).await?;
    Ok(found.into_iter().map(|row| Write::Delete(row.key, Guard::Always)).collect())
}

/// Types stand in the clear, so that an erased stream still says it.
fn is_gone(stream: &StreamName, whole: &[Commit]) -> bool {
    let says = |commit: &Commit| commit.types.iter().any(|kind| kind == "user.deleted");
    stream.kind() == User::TYPE && whole.iter().any(says)
}

fn unreadable(stream: &StreamName) -> PortError {
    PortError::Corrupt(stream.to_string())
}

/// What a whole stream leads to, less what is not shown any more; nothing when it was erased. For a user who is gone, that
/// entries go which are there all the same: whoever looks again after writing finds what it brought back itself.
pub(super) async fn writes_of_whole(
    ports: &CommandPorts,
    records: &dyn Records,
    stream: &StreamName,
    whole: &[Commit],
) -> Result<Vec<Write>, PortError> {
    if is_gone(stream, whole) {
        return forgotten(records, stream).await;
    }
    let now = ports.clock.now();
    let rows = match rows_of(ports, stream, whole, &|_| true).await {
        Err(PortError::Erased(_)) => Vec::new(),
        rows => rows?,
    };
    let shown = rows.into_iter().filter(|row| row.expires_at.is_none_or(|end| now < end));
    Ok(shown.map(|row| Write::Put(row, Guard::Absent)).collect())
}

/// The entries of those commits of a stream that are wanted.
async fn rows_of(
    ports: &CommandPorts,
    stream: &StreamName,
    whole: &[Commit],
    wanted: Wanted<'_>,
) -> Result<Vec<Row>, PortError> {
    let (id, unreadable) = (stream.id(), || unreadable(stream));
    match stream.kind() {
        Session::TYPE => {
            let id = SessionId::parse(id).map_err(|_| unreadable())?;
            let fold = |view, event: SessionEvent| SessionView::after(view, id, event);
            folded(ports, whole, wanted, None, fold, |view| shown(view.as_ref())).await
        },
        ApiKey::TYPE => {
            let id = ApiKeyId::parse(id).map_err(|_| unreadable())?;
            let shown = |key: &ApiKey| {
                shown(key.active().map(|created| ApiKeyView::new(id, created, key.rotated_at())))
            };
            folded(ports, whole, wanted, ApiKey::default(), applied, shown).await
        },
        WebhookEndpoint::TYPE => {
            let id = WebhookEndpointId::parse(id).map_err(|_| unreadable())?;
            let shown = |endpoint: &WebhookEndpoint| {
                shown(endpoint.active().map(|created| WebhookView::new(id, created)))
            };
            folded(ports, whole, wanted, WebhookEndpoint::default(), applied, shown).await
        },
        User::TYPE => {
            let id = UserId::parse(id).map_err(|_| unreadable())?;
            let shown = |user: &User| shown(UserView::of(id, user));
            folded(ports, whole, wanted, User::default(), applied, shown).await
        },
        Account::TYPE => {
            let shown = |account: &Account| {
                let mut fields = switches(account.features());
                let created = account.created();
                fields.extend(created.map(|created| ("name".to_owned(), json!(created.name))));
                Ok(Value::Object(fields))
            };
            folded(ports, whole, wanted, Account::default(), applied, shown).await
        },
        Features::TYPE => {
            let shown = |features: &Features| Ok(Value::Object(switches(features.switched())));
            folded(ports, whole, wanted, Features::default(), applied, shown).await
        },
        _ => Ok(Vec::new()),
    }
}

type Wanted<'a> = &'a (dyn Fn(u64) -> bool + Send + Sync);

/// One field for each feature that was switched.
fn switches(features: &BTreeMap<Feature, bool>) -> Map<String, Value> {
    features.iter().map(|(feature, on)| (format!("features.{}", feature.as_str()), json!(on))).collect()
}

/// Folds a stream, and tells for each commit that is wanted what it changed of what is shown.
async fn folded<S, E: DomainEvent>(
    ports: &CommandPorts,
    whole: &[Commit],
    wanted: Wanted<'_>,
    mut state: S,
    fold: impl Fn(S, E) -> S,
    shown: impl Fn(&S) -> Result<Value, PortError>,
) -> Result<Vec<Row>, PortError> {
    let mut rows = Vec::new();
    for commit in whole {
        let is_wanted = wanted(commit.version);
        let before = if is_wanted { shown(&state)? } else { Value::Null };
        for event in codec::open::<E>(&*ports.secrets, commit).await? {
            state = fold(state, event);
        }
        if is_wanted {
            rows.push(row(ports, commit, &before, &shown(&state)?).await?);
        }
    }
    Ok(rows)
}

async fn row(ports: &CommandPorts, commit: &Commit, before: &Value, after: &Value) -> Result<Row, PortError> {
    let entry = AuditEntry {
        at: commit.at,
        actor: commit.actor.clone(),
        address: codec::address(&*ports.secrets, commit).await?,
        request_id: commit.request_id.clone(),
        resource: commit.stream.id().to_owned(),
        types: commit.types.iter().map(ToString::to_string).collect(),
        changes: changes(before, after),
    };
    let key = keys::audit_entry(commit.account, commit.at, &commit.stream, commit.version);
    let expires_at = commit.at.checked_add(SHOWN).ok();
    Ok(Row { expires_at, ..rows::row(key, 1, &entry)? })
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
