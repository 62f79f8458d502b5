//! From which addresses a user signed in before. Whoever guesses passwords elsewhere slows strangers, and not the owner.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;

use super::Commands;
use crate::{
    keys,
    ports::{Consistency, Guard, PortError, Row, Write},
};

/// An address that nobody signs in from is a stranger's again after this time.
const TTL: SignedDuration = SignedDuration::from_hours(90 * 24);
/// It is noted anew so often at most.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Commands {
    /// True when the user of this e-mail address signed in from there. The client's address is any text that stays the same.
    pub async fn knows_address(&self, email: &str, client: &str) -> Result<bool, PortError> {
        let key = keys::known_address(&self.known_hash(email, client));
        Ok(self.records.get(&key, Consistency::Strong).await?.is_some())
    }

    /// Notes that the user of this e-mail address was there. Writes once a day at most.
    pub async fn remember_address(&self, email: &str, client: &str) -> Result<(), PortError> {
        let key = keys::known_address(&self.known_hash(email, client));
        let now = self.ports.clock.now();
        let until = |after: SignedDuration| now.checked_add(after).ok();
        let found = self.records.get(&key, Consistency::Strong).await?;
        if found.is_some_and(|row| row.expires_at > until(TTL - RENEWED_AFTER)) {
            return Ok(());
        }
        let row = Row { key, value: Vec::new(), version: 1, indexes: Vec::new(), expires_at: until(TTL) };
        self.records.write_each(vec![Write::Put(row, Guard::Always)]).await.map(drop)
    }

    /// The e-mail address of a user, whatever its case, where it must not stand itself.
    pub fn hashed_email(&self, email: &str) -> String {
        let hash = self.ports.secrets.keyed_hash("email_of_guess", email.to_lowercase().as_bytes());
        URL_SAFE_NO_PAD.encode(hash)
    }

    /// Neither of the two stands in the row.
    fn known_hash(&self, email: &str, client: &str) -> String {
        let text = format!("{}\u{1f}{client}", email.to_lowercase());
        URL_SAFE_NO_PAD.encode(self.ports.secrets.keyed_hash("known_address", text.as_bytes()))
    }
}
