//! How a session reads its outbox.

use waxwing_app::{
    keys,
    ports::{Bounds, PortError, Query, Row},
};

use super::Session;
use crate::{
    lanes::Outcome,
    outbox::{Taken, WINDOW},
};

impl Session {
    /// Reads the beginning of the outbox.
    pub(super) async fn read_outbox(&mut self) -> Result<(), PortError> {
        let rows = self.outbox_rows(None).await?;
        self.outbox.read(&rows, self.shared.ports.clock.now())
    }

    /// Rows go that are still there though what became of their messages is recorded.
    pub(super) async fn clear(&self) {
        for (whatsapp_id, Taken { key, sent }) in self.outbox.left() {
            let outcome = Outcome::Over { sent, open_row: key };
            self.shared.lanes.record(self.account, &whatsapp_id, outcome).await;
        }
    }

    /// Reads what is new in the outbox, as far as there is room.
    pub(super) async fn read_outbox_on(&mut self) -> Result<(), PortError> {
        let Some(after) = self.outbox.read_on_after() else { return Ok(()) };
        let rows = self.outbox_rows(after).await?;
        self.outbox.read_on(&rows, self.shared.ports.clock.now())
    }

    pub(super) async fn outbox_rows(&self, after: Option<String>) -> Result<Vec<Row>, PortError> {
        let query = Query {
            index: 0,
            partition: keys::outbox(self.account, self.id),
            bounds: Bounds { after, before: None },
            descending: false,
            limit: WINDOW,
        };
        self.shared.ports.records.query(query).await
    }
}
