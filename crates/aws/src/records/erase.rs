//! The end of an account.

use async_trait::async_trait;
use waxwing_app::{
    keys,
    ports::{Erased, Erasure, Guard, PortError, Records as _, Write},
};
use waxwing_domain::AccountId;

use super::{DynamoRecords, scan::KeyPage};

#[async_trait]
impl Erasure for DynamoRecords {
    async fn erase_rows(&self, account: AccountId, after: Option<&str>) -> Result<Erased, PortError> {
        // A number of a key that was given once is not given again, so those rows stay.
        let filter = "begins_with(#p, :account) AND #p <> :keys";
        let values = [(":account", &*format!("{account}/")), (":keys", &*keys::data_keys(account))];
        let KeyPage { keys: found, next } = self.scan_keys(filter, values, after).await?;
        let rows = found.len() as u64;
        self.write_each(found.into_iter().map(|key| Write::Delete(key, Guard::Always)).collect()).await?;
        Ok(Erased { rows, next })
    }
}
