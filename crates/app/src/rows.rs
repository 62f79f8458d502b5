//! Values of rows: JSON.

use serde::{Serialize, de::DeserializeOwned};

use crate::ports::{Consistency, Key, PortError, Records, Row};

/// A row with this value and nothing else.
pub fn row(key: Key, version: u64, value: &impl Serialize) -> Result<Row, PortError> {
    let value = serde_json::to_vec(value).map_err(|error| PortError::Corrupt(error.to_string()))?;
    Ok(Row { key, value, version, indexes: Vec::new(), expires_at: None })
}

/// Reads a row's value.
pub fn value<T: DeserializeOwned>(row: &Row) -> Result<T, PortError> {
    serde_json::from_slice(&row.value).map_err(|error| {
        PortError::Corrupt(format!(
            "row {}/{}: {} at column {}",
            row.key.partition,
            row.key.sort,
            "unreadable",
            error.column()
        ))
    })
}

/// The value of the row with this key, strongly consistent.
pub async fn get<T: DeserializeOwned>(records: &dyn Records, key: &Key) -> Result<Option<T>, PortError> {
    records.get(key, Consistency::Strong).await?.as_ref().map(value).transpose()
}
