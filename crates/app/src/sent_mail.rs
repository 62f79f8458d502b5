//! Who sends what cannot be unsent remembers it: commits may come again.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::{
    keys,
    mail::Mail,
    ports::{Clock, Consistency, Guard, MailError, Mailer, Records, Row, Write},
};

/// Longer than any token that a mail carries is good: later the same mail would not be made again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Sends each mail once, except when the process ends between sending and remembering.
pub struct SentOnce {
    /// Who sends.
    pub mailer: Arc<dyn Mailer>,
    /// Where it is remembered.
    pub records: Arc<dyn Records>,
    /// Until when.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Mailer for SentOnce {
    async fn send(&self, id: &str, mail: &Mail) -> Result<(), MailError> {
        let key = keys::sent_mail(id);
        if self.records.get(&key, Consistency::Strong).await?.is_some() {
            return Ok(());
        }
        self.mailer.send(id, mail).await?;
        let expires_at = self.clock.now().checked_add(REMEMBERED).ok();
        let row = Row { key, value: Vec::new(), version: 1, indexes: Vec::new(), expires_at };
        self.records.write_each(vec![Write::Put(row, Guard::Absent)]).await?;
        Ok(())
    }
}
