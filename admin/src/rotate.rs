use serde::Serialize;
use waxwing_app::{
    ports::KeyCustody,
    rotation::{Rotated, Rotation},
};
use waxwing_domain::AccountId;

use crate::{
    error::OperatorError,
    progress::{Report, Standing},
};

/// What [`rotate_data_keys`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RotationReport {
    /// How many data keys were made.
    pub data_keys: u64,
}

/// Gives `owner` another data key, or everybody who has one, which reads the records table once. What was sealed before opens
/// as before; other processes use the other keys within five minutes. It keeps no place: given again after it was interrupted
/// or failed, it begins anew, and all that were done get one key more, which costs a row each.
pub async fn rotate_data_keys(
    keys: &dyn KeyCustody,
    owner: Option<AccountId>,
    report: Report<'_>,
) -> Result<RotationReport, OperatorError> {
    let (mut rotation, mut made) = (Rotation { owner, after: None }, RotationReport::default());
    loop {
        let Rotated { keys: more, next } = rotation.run(keys).await?;
        made.data_keys += more;
        report(Standing { done: "data keys rotated", count: made.data_keys, of: None, parts: None });
        match next {
            Some(next) => rotation.after = Some(next),
            None => return Ok(made),
        }
    }
}
