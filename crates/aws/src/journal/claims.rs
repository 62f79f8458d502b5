//! Claims as writes of a transaction.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::Timestamp;
use waxwing_app::ports::{Claim, ClaimKey, PortError};

use crate::{
    failure::refused,
    item::{Item, number, put_bytes, put_end, text},
};

/// The claim's key.
pub(super) const KEY: &str = "pk";
/// What its holder left.
pub(super) const VALUE: &str = "val";
/// What one transaction of DynamoDB takes, less the commit.
const CLAIMS_MAX: usize = 99;
const IS_FREE: &str = "attribute_not_exists(pk) OR exp < :now";

/// One write for each key, in the order in which the keys were first named.
pub(super) struct ClaimWrites<'a> {
    writes: Vec<ClaimWrite<'a>>,
}

struct ClaimWrite<'a> {
    key: &'a ClaimKey,
    /// It is taken, perhaps to be given back by the same commit.
    has_to_be_free: bool,
    /// A transaction holds one write for each key; the last one decides what stands there afterwards.
    last: &'a Claim,
}

impl<'a> ClaimWrites<'a> {
    pub(super) fn new(claims: &'a [Claim]) -> Result<Self, PortError> {
        let mut writes: Vec<ClaimWrite<'a>> = Vec::with_capacity(claims.len());
        for claim in claims {
            let (key, takes) = match claim {
                Claim::Take { key, .. } => (key, true),
                Claim::Release { key } => (key, false),
            };
            match writes.iter_mut().find(|write| write.key == key) {
                Some(write) => {
                    write.has_to_be_free |= takes;
                    write.last = claim;
                },
                None => writes.push(ClaimWrite { key, has_to_be_free: takes, last: claim }),
            }
        }
        match writes.len() <= CLAIMS_MAX {
            true => Ok(Self { writes }),
            false => Err(refused(format_args!("more than {CLAIMS_MAX} claims in one commit"))),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The key of the write with this place.
    pub(super) fn key(&self, place: usize) -> Option<&ClaimKey> {
        self.writes.get(place).map(|write| write.key)
    }

    pub(super) fn items(&self, table: &str, now: Timestamp) -> Vec<TransactWriteItem> {
        self.writes.iter().map(|write| write.item(table, now)).collect()
    }
}

impl ClaimWrite<'_> {
    fn item(&self, table: &str, now: Timestamp) -> TransactWriteItem {
        let condition = self.has_to_be_free.then(|| IS_FREE.to_owned());
        let values =
            self.has_to_be_free.then(|| Item::from([(":now".to_owned(), number(now.as_millisecond()))]));
        let item = TransactWriteItem::builder();
        match self.last {
            Claim::Take { value, expires_at, .. } => {
                let mut claim = Item::from([(KEY.to_owned(), text(&self.key.0))]);
                put_bytes(&mut claim, VALUE, value.clone());
                put_end(&mut claim, *expires_at);
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(claim))
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values);
                item.put(put.build().expect("table and item are set"))
            },
            Claim::Release { .. } => {
                let delete = Delete::builder()
                    .table_name(table)
                    .key(KEY, text(&self.key.0))
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values);
                item.delete(delete.build().expect("table and key are set"))
            },
        }
        .build()
    }
}
