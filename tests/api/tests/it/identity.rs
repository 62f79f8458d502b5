//! One person is one chat, whichever address is used.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use waxwing_tests_api::{Waxwing, eventually};

const OWNER: &str = "+15550001111";
const FRIEND: &str = "+15550002222";

#[tokio::test]
async fn a_message_to_the_hidden_user_of_a_contact_is_in_the_chat_of_the_number() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let client = waxwing.client()?;
    let session = client.connected_session("shop", OWNER).await?;
    client.make_phone(FRIEND).await?;
    let body = json!({ "to": OWNER, "type": "text", "text": "Is my table ready?" });
    ensure!(client.post(&format!("/sandbox/phones/{FRIEND}/messages"), body).await?.status == 202);
    let received = eventually("the message", || async {
        Ok(client.all("/messages?direction=in").await?.into_iter().next())
    })
    .await?;
    let lid = received["from"]["lid"].as_str().context("the contact's hidden user")?.to_owned();
    ensure!(received["chat"]["jid"] == "15550002222@s.whatsapp.net", "{received}");

    let answer = json!({ "session_id": session, "to": lid, "type": "text", "text": "It is." });
    let sent = client.post("/messages", answer).await?;
    ensure!(sent.status == 202, "{sent:?}");
    for field in ["to", "chat"] {
        let read = client.get(&format!("/messages/{}", sent.body["id"].as_str().context("an id")?)).await?;
        ensure!(read.body[field]["phone"] == FRIEND && read.body[field]["lid"] == lid, "{read:?}");
        ensure!(read.body[field]["jid"] == received["chat"]["jid"], "{read:?}");
    }
    ensure!(sent.body["to"]["phone"] == FRIEND && sent.body["to"]["lid"] == lid, "{sent:?}");

    for chat in ["%2B15550002222", "15550002222@s.whatsapp.net", &lid] {
        let chat = eventually("both in the chat", || async {
            let listed = client.all(&format!("/messages?chat={chat}")).await?;
            Ok((listed.len() == 2).then_some(listed))
        })
        .await
        .with_context(|| chat.to_owned())?;
        ensure!(chat[0]["id"] == received["id"] && chat[1]["id"] == sent.body["id"], "{chat:?}");
    }
    let inbox = eventually("the message on the phone", || async {
        let inbox = client.all(&format!("/sandbox/phones/{FRIEND}/inbox")).await?;
        Ok((!inbox.is_empty()).then_some(inbox))
    })
    .await?;
    ensure!(inbox.len() == 1 && inbox[0]["text"] == "It is.", "{inbox:?}");
    Ok(())
}
