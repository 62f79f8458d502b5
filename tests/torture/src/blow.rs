//! What is done to the product.

use std::time::Duration;

use anyhow::Result;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};
use waxwing_tests_api::{Client, Receiver, Temper};

use crate::shape::Shape;

/// One of the things that happen to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// SIGKILL for a process with sessions.
    Kill,
    /// SIGTERM: sessions are given away.
    Drain,
    /// SIGKILL for whatever functions run. On AWS only.
    KillFunctions,
    /// The engine refuses all calls for some seconds: on AWS the proxy does, standalone the disk is full.
    CutOff,
    /// The network delivers messages twice.
    Duplicate,
    /// It does not acknowledge messages that it took.
    LoseAck,
    /// It drops all connections.
    Drop,
    /// It takes none for some seconds.
    Refuse,
    /// The receiver of webhooks answers 503 for a while.
    ReceiverFails,
    /// It does not answer for a while.
    ReceiverHangs,
}

/// How often each is drawn.
const WEIGHTS: [(Blow, u32); 10] = [
    (Blow::Kill, 8),
    (Blow::Drain, 3),
    (Blow::KillFunctions, 3),
    (Blow::CutOff, 1),
    (Blow::Duplicate, 3),
    (Blow::LoseAck, 3),
    (Blow::Drop, 2),
    (Blow::Refuse, 1),
    (Blow::ReceiverFails, 1),
    (Blow::ReceiverHangs, 1),
];

impl Blow {
    /// The next one.
    pub(crate) fn draw(random: &mut StdRng, deployed: bool) -> Self {
        let possible = || WEIGHTS.into_iter().filter(|(blow, _)| deployed || *blow != Self::KillFunctions);
        let mut drawn = random.random_range(0..possible().map(|(_, weight)| weight).sum());
        for (blow, weight) in possible() {
            match drawn < weight {
                true => return blow,
                false => drawn -= weight,
            }
        }
        Self::Kill
    }

    /// Does it. A client when the product is elsewhere afterwards.
    pub(crate) async fn strike(
        self,
        shape: &mut Shape,
        client: &Client,
        receiver: &Receiver,
        random: &mut StdRng,
    ) -> Result<Option<Client>> {
        let some_seconds = Duration::from_millis(random.random_range(1_000..4_000));
        match self {
            Self::Kill => return shape.kill(random).await,
            Self::Drain => return shape.drain(random).await,
            Self::KillFunctions => shape.kill_functions()?,
            Self::CutOff => return shape.cut_off(some_seconds).await,
            Self::Duplicate => {
                fault(client, json!({ "kind": "duplicate", "count": random.random_range(1..20) })).await;
            },
            Self::LoseAck => {
                fault(client, json!({ "kind": "lose_ack", "count": random.random_range(1..20) })).await;
            },
            Self::Drop => fault(client, json!({ "kind": "drop_connections" })).await,
            Self::Refuse => {
                let seconds = some_seconds.as_secs().max(1);
                fault(client, json!({ "kind": "refuse_connections", "for_s": seconds })).await;
            },
            Self::ReceiverFails => receiver.behave(Temper::Fails, some_seconds),
            Self::ReceiverHangs => receiver.behave(Temper::Hangs, some_seconds),
        }
        Ok(None)
    }
}

/// A service that is just away gets none.
async fn fault(client: &Client, body: Value) {
    if let Err(error) = client.post("/sandbox/faults", body).await {
        eprintln!("no fault: {error:#}");
    }
}
