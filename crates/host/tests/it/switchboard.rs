//! Brings hints to the host that has the session.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use waxwing_app::{
    fleet::Fleet,
    keys,
    ports::{Gateway, Records},
    rows,
    views::Placement,
};
use waxwing_domain::{AccountId, SessionId};
use waxwing_host::Host;

use crate::world::account;

/// Tells the host of a session, as signed HTTP does between processes.
#[derive(Clone)]
pub struct Switchboard {
    pub hosts: Arc<Mutex<HashMap<String, Host>>>,
    pub records: Arc<dyn Records>,
}

impl Switchboard {
    pub async fn host_of(&self, session: SessionId) -> Option<Host> {
        let only = {
            let hosts = self.hosts.lock().unwrap();
            hosts.values().next().filter(|_| hosts.len() == 1).cloned()
        };
        if only.is_some() {
            return only;
        }
        let placed: Option<Placement> =
            rows::get(&*self.records, &keys::placement(account(), session)).await.unwrap();
        let fleet = Fleet::read(&*self.records).await.unwrap();
        let home = || fleet.home(session).map(|(home, _)| home.to_owned());
        let name = placed.and_then(|placement| placement.host).or_else(home)?;
        self.hosts.lock().unwrap().get(&name).cloned()
    }
}

#[async_trait]
impl Gateway for Switchboard {
    async fn session_changed(&self, account: AccountId, session: SessionId) {
        if let Some(host) = self.host_of(session).await {
            host.session_changed(account, session).await;
        }
    }

    async fn outbox_changed(&self, account: AccountId, session: SessionId) {
        if let Some(host) = self.host_of(session).await {
            host.outbox_changed(account, session).await;
        }
    }
}
