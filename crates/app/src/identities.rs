//! One person, one chat: which phone number stands behind a hidden user. Each session keeps what it was told, one row for
//! each hidden user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use waxwing_domain::{AccountId, Jid, Person, PhoneNumber, SessionId};

use crate::{
    keys,
    ports::{Guard, Key, PortError, Records, Write},
    rows,
};

/// Pairs that are remembered to stand in Records. Past it all are forgotten, and looked up when they come again.
const REMEMBERED_MAX: usize = 10_000;

/// Keeps which phone numbers stand behind hidden users.
#[derive(Clone)]
pub struct Identities {
    records: Arc<dyn Records>,
    remembered: Arc<Mutex<HashMap<Key, PhoneNumber>>>,
}

impl Identities {
    /// Keeps them there.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records, remembered: Arc::default() }
    }

    /// Keeps what is known of the person; durable when this returns. A number that moved to another hidden user, or a
    /// hidden user to another number, replaces what was known.
    pub async fn learn(
        &self,
        account: AccountId,
        session: SessionId,
        person: &Person,
    ) -> Result<(), PortError> {
        let (Some(phone), Some(lid)) = (&person.phone, &person.lid) else { return Ok(()) };
        let key = keys::phone_of_lid(account, session, lid);
        if self.remembered().get(&key) == Some(phone) {
            return Ok(());
        }
        if rows::get::<PhoneNumber>(&*self.records, &key).await?.as_ref() != Some(phone) {
            let row = rows::row(key.clone(), 1, phone)?;
            self.records.write_each(vec![Write::Put(row, Guard::Always)]).await?;
        }
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(key, phone.clone());
        Ok(())
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<Key, PhoneNumber>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is behind an address, under the address that keys the chat.
pub async fn person(
    records: &dyn Records,
    account: AccountId,
    session: SessionId,
    jid: Jid,
) -> Result<Person, PortError> {
    let Some(lid) = jid.lid() else { return Ok(Person::from_jid(jid)) };
    let phone = rows::get(records, &keys::phone_of_lid(account, session, lid)).await?;
    Ok(Person::canonical(jid, phone.map(Jid::Phone)))
}
