//! Who sends what cannot be unsent remembers it: commits may come again.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::{
    keys,
    mail::Mail,
    ports::{Clock, Consistency, Guard, MailError, Mailer, PortError, Records, Row, Write},
};

/// Longer than any token that a mail carries is good: later the same mail would not be made again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(8 * 24);
/// Longer than a mail server takes for all its steps. A process that ends in the middle holds the mail up for so long.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(5);

/// Version of the row of a mail that is being sent, and of one that was.
const SENDING: u64 = 1;
const SENT: u64 = 2;

/// Sends each mail once, also when several copies of its job are done at the same time; except when the process ends between
/// sending and remembering.
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
        if !self.note(id, SENDING, Guard::Absent).await? {
            let row = self.records.get(&keys::sent_mail(id), Consistency::Strong).await?;
            return match row.is_some_and(|row| row.version == SENT) {
                true => Ok(()),
                false => Err(PortError::Unavailable("the mail is under way already".to_owned()).into()),
            };
        }
        if let Err(error) = self.mailer.send(id, mail).await {
            let gone = Write::Delete(keys::sent_mail(id), Guard::Exactly(SENDING));
            self.records.write_each(vec![gone]).await?;
            return Err(error);
        }
        self.note(id, SENT, Guard::Always).await?;
        Ok(())
    }
}

impl SentOnce {
    /// False when the guard does not hold.
    async fn note(&self, id: &str, version: u64, guard: Guard) -> Result<bool, PortError> {
        let kept = if version == SENT { REMEMBERED } else { UNDER_WAY };
        let expires_at = self.clock.now().checked_add(kept).ok();
        let key = keys::sent_mail(id);
        let row = Row { key, value: Vec::new(), version, indexes: Vec::new(), expires_at };
        Ok(self.records.write_each(vec![Write::Put(row, guard)]).await? == [true])
    }
}
