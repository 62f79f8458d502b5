//! The walk of the README on the serverless shape: the same code as on the standalone one.

use anyhow::Result;
use waxwing_tests_api::walk;

use crate::shared::{QUIET, stack};

#[tokio::test]
async fn a_text_goes_out_and_its_way_is_told_in_the_timeline_and_by_webhooks() -> Result<()> {
    let _quiet = QUIET.read().await;
    walk::text_out(&stack().await?.tenant("text-out")?).await
}

#[tokio::test]
async fn a_text_comes_in_and_is_told_in_the_api_and_by_a_webhook() -> Result<()> {
    let _quiet = QUIET.read().await;
    walk::text_in(&stack().await?.tenant("text-in")?).await
}

#[tokio::test]
async fn a_message_that_the_owners_phone_sends_is_told_as_such() -> Result<()> {
    let _quiet = QUIET.read().await;
    walk::from_the_owners_phone(&stack().await?.tenant("owner")?).await
}

#[tokio::test]
async fn a_repeated_request_has_one_effect() -> Result<()> {
    let _quiet = QUIET.read().await;
    walk::repeated_request(&stack().await?.tenant("repeated")?).await
}
