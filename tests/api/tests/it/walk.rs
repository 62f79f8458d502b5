//! The walk of the README on the standalone shape.

use anyhow::Result;
use waxwing_tests_api::{Waxwing, walk};

#[tokio::test]
async fn a_text_goes_out_and_its_way_is_told_in_the_timeline_and_by_webhooks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    walk::text_out(&waxwing.client()?).await
}

#[tokio::test]
async fn a_text_comes_in_and_is_told_in_the_api_and_by_a_webhook() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    walk::text_in(&waxwing.client()?).await
}

#[tokio::test]
async fn a_message_that_the_owners_phone_sends_is_told_as_such() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    walk::from_the_owners_phone(&waxwing.client()?).await
}

#[tokio::test]
async fn a_repeated_request_has_one_effect() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    walk::repeated_request(&waxwing.client()?).await
}
