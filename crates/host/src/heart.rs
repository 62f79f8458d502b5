//! The host's heart: a row that ends by itself when it stops beating. Where several hosts share the sessions, one whose
//! heart has stopped holds none any more, and the others take them.
//!
//! A host that cannot write its row fences itself before the others may think it dead: it knows by a clock that only goes
//! forwards. What is between the two is room for clocks that differ.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use waxwing_app::{
    keys,
    ports::{Guard, PortError, Row, Write},
    rows,
    views::HostView,
};

use crate::{admission::Admission, members::Members, supervisor::HostPorts};

/// After so long without a beat the others may take the sessions.
const LEASE: Duration = Duration::from_secs(30);
/// After so long without a beat the host lets go of them.
const FENCE: Duration = Duration::from_secs(20);
const BEAT: Duration = Duration::from_secs(5);
/// A beat that takes longer has failed.
const BEAT_TIMEOUT: Duration = Duration::from_secs(4);
/// Pause before a failed beat is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Beats until the host stops, then removes the row. `alive` says whether sessions may be held.
pub(crate) async fn beat(
    ports: HostPorts,
    address: String,
    members: Arc<Members>,
    admission: Arc<Admission>,
    sessions: impl Fn() -> usize,
    alive: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let mut last: Option<Instant> = None;
    while !*stop.borrow() {
        let began = Instant::now();
        // A process that stood still for a while: others may have its sessions already.
        if last.is_some_and(|last| last.elapsed() >= FENCE) {
            tell(&alive, false);
        }
        let written = async {
            let _row = members.row.lock().await;
            let (draining, outdated) = (members.is_draining(), admission.is_held_here());
            let view = HostView { address: address.clone(), sessions: sessions(), draining, outdated };
            write(&ports, &view).await
        };
        let pause = match timeout(BEAT_TIMEOUT, written).await {
            Ok(Ok(())) => {
                last = Some(began);
                look_round(&members).await;
                if admission.others_hold(members.are_outdated()) {
                    tracing::error!(
                        "WhatsApp refuses this version of the client at another host: no session connects"
                    );
                }
                BEAT
            },
            Ok(Err(error)) => {
                tracing::warn!(%error, "a beat of the host failed");
                AGAIN
            },
            Err(_) => {
                tracing::warn!("a beat of the host took too long");
                AGAIN
            },
        };
        tell(&alive, last.is_some_and(|last| last.elapsed() < FENCE));
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Says whether sessions may be held, when that is news.
fn tell(alive: &watch::Sender<bool>, lives: bool) {
    let changed = alive.send_if_modified(|alive| std::mem::replace(alive, lives) != lives);
    if changed && !lives {
        tracing::error!("the host cannot say that it lives, and lets go of its sessions");
    }
}

async fn look_round(members: &Members) {
    match timeout(BEAT_TIMEOUT, members.refresh()).await {
        Ok(Ok(())) => {},
        Ok(Err(error)) => tracing::warn!(%error, "the list of hosts cannot be read"),
        Err(_) => tracing::warn!("the list of hosts took too long to read"),
    }
}

/// Tells the others that this host gives its sessions away.
pub(crate) async fn drain(ports: &HostPorts, members: &Members, address: &str, sessions: usize) {
    members.drain();
    let written = async {
        // No beat that knew nothing of it comes later.
        let _row = members.row.lock().await;
        let address = address.to_owned();
        write(ports, &HostView { address, sessions, draining: true, outdated: false }).await
    };
    match timeout(BEAT_TIMEOUT, written).await {
        Ok(Ok(())) => {},
        Ok(Err(error)) => tracing::warn!(%error, "the others are not told that this host stops"),
        Err(_) => tracing::warn!("telling the others that this host stops took too long"),
    }
}

/// Removes the row, so that the others need not wait.
pub(crate) async fn end(ports: &HostPorts) {
    let gone = Write::Delete(keys::host(&ports.host_name), Guard::Always);
    if let Err(error) = ports.records.write_each(vec![gone]).await {
        tracing::warn!(%error, "the others wait until the host's row ends");
    }
}

async fn write(ports: &HostPorts, view: &HostView) -> Result<(), PortError> {
    let lease = SignedDuration::try_from(LEASE).unwrap_or(SignedDuration::MAX);
    let row = rows::row(keys::host(&ports.host_name), 1, view)?;
    let row = Row { expires_at: ports.clock.now().checked_add(lease).ok(), ..row };
    ports.records.write_each(vec![Write::Put(row, Guard::Always)]).await.map(drop)
}
