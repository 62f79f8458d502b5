//! An outbox that is kept and shown to the operator, where there is no mail server: addresses can be proven without one.
//! The rows are sealed, since tokens stand in them.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use waxwing_domain::{AccountId, Secret};

use crate::{
    execute::CommandPorts,
    keys,
    mail::Mail,
    ports::{Bounds, Guard, Key, MailError, Mailer, PortError, Query, Records, Row, Sealed, Write},
};

/// How long a mail is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most mails that are kept; the oldest go first.
pub const MAILS_MAX: usize = 1_000;

/// Keeps mails in Records.
pub struct KeptMail {
    /// Encryption and clock.
    pub ports: CommandPorts,
    /// Where they are kept.
    pub records: Arc<dyn Records>,
}

/// A mail as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptMailView {
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: Secret,
    /// The same as HTML.
    pub html: Secret,
    /// The token that it carries.
    pub token: Option<Secret>,
    /// When it was kept.
    pub created_at: Timestamp,
}

fn associated(key: &Key) -> Vec<u8> {
    format!("{}\u{1f}{}", key.partition, key.sort).into_bytes()
}

fn newest(limit: usize, before: Option<String>) -> Query {
    let bounds = Bounds { after: None, before };
    Query { index: 0, partition: keys::kept_mails(), bounds, descending: true, limit }
}

#[async_trait]
impl Mailer for KeptMail {
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError> {
        let Mail { to, subject, text, html, token } = mail.clone();
        let created_at = self.ports.clock.now();
        let view = KeptMailView { to, subject, text, html, token, created_at };
        let plain = serde_json::to_vec(&view).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let key = keys::kept_mail(id);
        let sealed = self.ports.secrets.seal(AccountId::SYSTEM, &associated(&key), &plain).await?;
        let expires_at = created_at.checked_add(KEPT).ok();
        let row = Row { key, value: sealed.pack(), version: 1, indexes: Vec::new(), expires_at };
        self.records.write_each(vec![Write::Put(row, Guard::Absent)]).await?;
        Ok(self.drop_oldest().await?)
    }
}

impl KeptMail {
    /// The mails, newest first.
    pub async fn list(&self) -> Result<Vec<KeptMailView>, PortError> {
        let mut views = Vec::new();
        for row in self.records.query(newest(MAILS_MAX, None)).await? {
            let sealed = Sealed::unpack(&row.value)
                .ok_or_else(|| PortError::Corrupt("a kept mail cannot be read".to_owned()))?;
            let plain = self.ports.secrets.open(AccountId::SYSTEM, &associated(&row.key), &sealed).await?;
            let view = serde_json::from_slice(&plain);
            views.push(view.map_err(|_| PortError::Corrupt("a kept mail cannot be read".to_owned()))?);
        }
        Ok(views)
    }

    async fn drop_oldest(&self) -> Result<(), PortError> {
        let kept = self.records.query(newest(MAILS_MAX, None)).await?;
        let Some(oldest) = kept.last().filter(|_| kept.len() == MAILS_MAX) else { return Ok(()) };
        let older = self.records.query(newest(MAILS_MAX, Some(oldest.key.sort.clone()))).await?;
        let gone = older.into_iter().map(|row| Write::Delete(row.key, Guard::Always)).collect::<Vec<_>>();
        match gone.is_empty() {
            true => Ok(()),
            false => self.records.write_each(gone).await.map(drop),
        }
    }
}
