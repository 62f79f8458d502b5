//! Every kind of message, both ways, field by field.

use anyhow::Result;
use waxwing_tests_api::{Waxwing, kinds};

#[tokio::test]
async fn every_kind_goes_out_as_it_was_sent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::every_kind_out(&waxwing.client()?).await
}

#[tokio::test]
async fn every_kind_comes_in_as_it_was_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::every_kind_in(&waxwing.client()?).await
}

#[tokio::test]
async fn what_was_sent_is_reacted_to_edited_and_taken_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::operations_out(&waxwing.client()?).await
}

#[tokio::test]
async fn what_a_phone_does_to_messages_is_told_of_the_right_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::operations_in(&waxwing.client()?).await
}

#[tokio::test]
async fn what_is_wrong_with_a_kind_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::bad_kinds(&waxwing.client()?).await
}

#[tokio::test]
async fn a_batch_has_an_answer_for_each_message_and_sends_each_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    kinds::a_batch(&waxwing.client()?).await
}
