//! This device's identity.

use async_trait::async_trait;
use serde::Deserialize;
use wacore::store::Device;
use wacore::store::error::Result;
use wacore::store::traits::DeviceStore;

use super::{ONLY, SignalBackend, json_row, to_json};
use crate::store::kind::Kind;
use crate::store::tables::Tables;

/// The part of the identity that says whether a phone has linked it.
#[derive(Deserialize)]
struct Linked {
    pn: Option<serde_json::Value>,
}

/// True when a phone has linked the device.
pub(crate) fn is_paired(tables: &Tables) -> bool {
    let linked: Option<Linked> = json_row(tables, Kind::Device, ONLY).ok().flatten();
    linked.is_some_and(|linked| linked.pn.is_some())
}

#[async_trait]
impl DeviceStore for SignalBackend {
    async fn save(&self, device: &Device) -> Result<()> {
        let json = to_json(device)?;
        self.write(|tables| tables.put(Kind::Device, ONLY, json)).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.read(|tables| json_row(tables, Kind::Device, ONLY))
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.read(|tables| tables.contains(Kind::Device, ONLY)))
    }

    async fn create(&self) -> Result<i32> {
        // One state, one device: the library draws it, and the first save stores it.
        Ok(1)
    }
}
