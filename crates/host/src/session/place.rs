//! Where a session is: claimed by one host, and let go for the next.

use std::time::Duration;

use waxwing_app::{
    keys,
    ports::{Consistency, Guard, PortError, Write},
    rows,
    views::Placement,
};
use waxwing_whatsapp::{SignalState, StateError};

use super::{Poke, Session};
use crate::supervisor::Membership;

/// How often a session looks whether the host that holds it has let go, in case it was not told.
pub(super) const LET_GO_LOOK: Duration = Duration::from_secs(5);

/// Where a session is to be.
pub(super) enum Place {
    Here,
    /// Here, once the host that holds it has let go, or this one may hold sessions.
    HereLater,
    Elsewhere,
}

impl Session {
    /// Reads the wish, and where the session is to be.
    pub(super) async fn place(&mut self) -> Result<Place, PortError> {
        self.look().await?;
        if !self.shared.members.are_several() {
            return Ok(Place::Here);
        }
        if !self.shared.members.is_home_now(self.id).await? {
            return Ok(Place::Elsewhere);
        }
        let placed = self.placed().await?;
        let held = self.is_held_elsewhere(placed.map(|(_, placement)| placement)).await?;
        Ok(if held || !*self.alive.borrow() { Place::HereLater } else { Place::Here })
    }

    /// Whether another host that lives holds the session.
    async fn is_held_elsewhere(&self, placed: Option<Placement>) -> Result<bool, PortError> {
        let ports = &self.shared.ports;
        match placed.and_then(|placement| placement.host) {
            Some(host) if ports.membership.is_some() && host != ports.host_name => {
                Ok(ports.records.get(&keys::host(&host), Consistency::Strong).await?.is_some())
            },
            _ => Ok(false),
        }
    }

    /// Whether this host still holds the session.
    pub(super) async fn holds(&self) -> Result<bool, PortError> {
        if !self.shared.members.are_several() {
            return Ok(true);
        }
        let placed = self.placed().await?.and_then(|(_, placement)| placement.host);
        Ok(placed.as_deref() == Some(self.shared.ports.host_name.as_str()))
    }

    /// Who holds the session, and the row's version.
    async fn placed(&self) -> Result<Option<(u64, Placement)>, PortError> {
        let key = keys::placement(self.account, self.id);
        let row = self.shared.ports.records.get(&key, Consistency::Strong).await?;
        row.map(|row| Ok((row.version, rows::value(&row)?))).transpose()
    }

    /// Lets the next host have the session, and tells it. Where there is only this host nothing needs to be said.
    pub(super) async fn let_go(&mut self) -> Result<(), PortError> {
        self.state = None;
        let ports = &self.shared.ports;
        let Some(membership) = &ports.membership else { return Ok(()) };
        let Some((version, Placement { host: Some(host), .. })) = self.placed().await? else { return Ok(()) };
        if host == ports.host_name {
            let key = keys::placement(self.account, self.id);
            let free = Placement { host: None, since: Some(ports.clock.now()) };
            let row = rows::row(key, version + 1, &free)?;
            ports.records.write_all(vec![Write::Put(row, Guard::Exactly(version))]).await?;
            tracing::info!(session = %self.id, "the session is let go");
            membership.peers.session_changed(self.account, self.id).await;
        }
        Ok(())
    }

    /// Hints that came while the session was let go are for whoever has it now.
    pub(super) async fn pass_on_hints(&mut self) {
        self.pokes.close();
        let (mut wish, mut outbox) = (false, false);
        while let Ok(poke) = self.pokes.try_recv() {
            wish |= matches!(poke, Poke::Wish);
            outbox |= matches!(poke, Poke::Outbox);
        }
        let Some(Membership { peers, .. }) = &self.shared.ports.membership else { return };
        if wish {
            peers.session_changed(self.account, self.id).await;
        }
        if outbox {
            peers.outbox_changed(self.account, self.id).await;
        }
    }

    /// Claims the session's Signal state under a new epoch and loads it.
    pub(super) async fn claim(&mut self) -> Result<SignalState, PortError> {
        if let Some(state) = self.state.clone().filter(|state| state.poison().is_none()) {
            return Ok(state);
        }
        let ports = &self.shared.ports;
        let key = keys::placement(self.account, self.id);
        let placed = self.placed().await?;
        let held = placed.as_ref().map_or(0, |(version, _)| *version);
        // Somebody may have come first while this host waited for its turn to connect.
        if self.is_held_elsewhere(placed.map(|(_, placement)| placement)).await? {
            return Err(PortError::Conflict("another host holds the session".to_owned()));
        }
        let guard = if held == 0 { Guard::Absent } else { Guard::Exactly(held) };
        let held_here = Placement { host: Some(ports.host_name.clone()), since: Some(ports.clock.now()) };
        let row = rows::row(key, held + 1, &held_here)?;
        ports.records.write_all(vec![Write::Put(row, guard)]).await?;
        let opened =
            SignalState::open(ports.records.clone(), ports.secrets.clone(), self.account, self.id, held + 1)
                .await;
        let state = opened.map_err(|error| match error {
            StateError::Fenced { .. } => PortError::Conflict(error.to_string()),
            StateError::Port(error) => error,
        })?;
        self.state = Some(state.clone());
        Ok(state)
    }
}
