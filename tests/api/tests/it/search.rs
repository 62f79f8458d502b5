//! Texts are found by their words, over HTTP.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_api::{Client, Waxwing, eventually};

use crate::members::{OWNER as ADA, owner};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";
const OTHER: &str = "+15550003333";

/// The texts of all pages.
async fn texts(client: &Client, query: &str) -> Result<Vec<String>> {
    let (mut texts, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/messages?limit=2&{query}{cursor}")).await?;
        ensure!(page.status == 200, "{query}: {page:?}");
        let data = page.body["data"].as_array().context("data")?;
        ensure!(data.len() <= 2, "{page:?}");
        texts.extend(data.iter().filter_map(|message| message["text"].as_str()).map(str::to_owned));
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(texts),
        }
    }
}

#[tokio::test]
async fn texts_are_found_by_words_beginnings_and_phrases_by_their_account_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    for number in [FRIEND, OTHER] {
        client.make_phone(number).await?;
    }
    let all = [
        (FRIEND, "Ihre Größe ist da"),
        (OTHER, "Your parcel is on its way"),
        (FRIEND, "Two parcels are on the way"),
        (FRIEND, "The invoice for your parcel"),
    ];
    for (to, text) in all {
        let message = json!({ "session_id": session, "to": to, "type": "text", "text": text });
        let sent = client.post("/messages", message).await?;
        ensure!(sent.status == 202, "{sent:?}");
    }
    let answer = json!({ "to": OWNER, "type": "text", "text": "Which invoice?" });
    let said = client.post(&format!("/sandbox/phones/{FRIEND}/messages"), answer).await?;
    ensure!(said.status == 202, "{said:?}");
    eventually("all in the index", || async {
        let (sent, answered) = (texts(&client, "q=parc*").await?, texts(&client, "q=invoice").await?);
        Ok((sent.len() == 3 && answered.len() == 2).then_some(()))
    })
    .await?;

    let is = async |query: &str, expected: &[&str]| {
        let found = texts(&client, query).await?;
        ensure!(found == expected, "{query}: {found:?}");
        Ok(())
    };
    is("q=parcel", &[all[1].1, all[3].1]).await?;
    is("q=PARCEL&order=desc", &[all[3].1, all[1].1]).await?;
    is("q=parc*", &[all[1].1, all[2].1, all[3].1]).await?;
    is("q=parc*&order=desc", &[all[3].1, all[2].1, all[1].1]).await?;
    is("q=grosse", &[all[0].1]).await?;
    is("q=%22the+way%22", &[all[2].1]).await?;
    is("q=way+the", &[all[2].1]).await?;
    is("q=way+nothing", &[]).await?;
    is("q=parcel+OR+invoice", &[]).await?;
    is("q=%22%27*%29", &[]).await?;
    let chat = FRIEND.trim_start_matches('+');
    is(&format!("q=parc*&chat=%2B{chat}&session_id={session}"), &[all[2].1, all[3].1]).await?;
    is(&format!("q=parc*&chat=%2B{chat}&order=desc"), &[all[3].1, all[2].1]).await?;
    is("q=invoice&direction=in", &["Which invoice?"]).await?;
    is("q=invoice&type=image", &[]).await?;
    is("q=parcel&after=2100-01-01T00:00:00Z", &[]).await?;
    is("q=parcel&before=2100-01-01T00:00:00Z", &[all[1].1, all[3].1]).await?;

    let ada = owner(&client, ADA).await?;
    ensure!(texts(&ada, "q=parcel").await?.is_empty());
    ensure!(texts(&ada, "q=parc*").await?.is_empty());
    waxwing.stop().await.map(drop)
}
