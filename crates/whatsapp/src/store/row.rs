//! Rows as the engine sees them: where they stand, and sealed.

use waxwing_app::ports::{Key, PortError, Row, Sealed, SecretBox};
use waxwing_domain::{AccountId, SessionId};

use super::kind::{Kind, sort_key};
use super::tables::Change;

/// The row whose version is the fence of a session's writers. Sorts before every other row.
pub(crate) const HEADER: &str = "0header";

/// Whose rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
}

impl Owner {
    pub(crate) fn partition(self) -> String {
        format!("{}/{}/signal", self.account, self.session)
    }

    pub(crate) fn header_key(self) -> Key {
        Key::new(self.partition(), HEADER)
    }

    pub(crate) fn key(self, kind: Kind, key: &str) -> Key {
        Key::new(self.partition(), sort_key(kind, key))
    }

    /// What a value is bound to, so that no row passes for another.
    fn associated(self, sort: &str) -> String {
        format!("{}/signal/{sort}", self.session)
    }

    /// The row of a change that has a value.
    pub(crate) async fn seal(
        self,
        secrets: &dyn SecretBox,
        change: &Change,
        value: &[u8],
    ) -> Result<Row, PortError> {
        let key = self.key(change.kind, &change.key);
        let sealed = secrets.seal(self.account, self.associated(&key.sort).as_bytes(), value).await?;
        Ok(Row { key, value: sealed.pack(), version: 0, indexes: Vec::new(), expires_at: change.expires_at })
    }

    /// The kind, key and value of a row.
    pub(crate) async fn open(
        self,
        secrets: &dyn SecretBox,
        row: &Row,
    ) -> Result<(Kind, Box<str>, Box<[u8]>), PortError> {
        let corrupt = || PortError::Corrupt(format!("the row {} of a session's Signal state", row.key.sort));
        let (kind, key) = Kind::parse(&row.key.sort).ok_or_else(corrupt)?;
        let sealed = Sealed::unpack(&row.value).ok_or_else(corrupt)?;
        let value = secrets.open(self.account, self.associated(&row.key.sort).as_bytes(), &sealed).await?;
        Ok((kind, key.into(), value.into()))
    }
}
