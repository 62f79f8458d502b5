use anyhow::{Context as _, Result};
use wacore::download::MediaType;
use wacore::media_retry::MediaRetryResult;
use waxwing_sandbox::{FaultRequest, InboxEntry, MediaInfo, MediaKind, NewMedia, PhoneHandle, limits};
use whatsapp_rust::features::MediaReuploadRequest;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{Served, TestClient, plain_http, until};

const OWNER: &str = "+15550001111";
const CONTACT: &str = "+15550002222";

fn picture() -> NewMedia {
    NewMedia {
        kind: MediaKind::Image,
        bytes: (0..100_000_u32).map(|number| u8::try_from(number % 251).unwrap_or(0)).collect(),
        mime_type: Some("image/png".to_owned()),
        caption: Some("look".to_owned()),
        filename: None,
    }
}

/// The next message with a picture.
async fn image(client: &mut TestClient) -> Result<(String, wa::message::ImageMessage)> {
    client
        .expect("picture", |event| {
            event.messages().find_map(|inbound| {
                let image = inbound.message.image_message.as_option()?;
                Some((inbound.info.id.to_string(), image.clone()))
            })
        })
        .await
}

async fn first(phone: &PhoneHandle) -> Result<InboxEntry> {
    until("an entry in the inbox", || async { Ok(phone.inbox().await?.into_iter().next()) }).await
}

#[tokio::test]
async fn a_client_fetches_what_a_phone_sends_until_it_expires() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_media(OWNER, picture()).await?;
    let (_, image) = image(&mut client).await?;
    assert_eq!((image.caption.as_deref(), image.mimetype.as_deref()), (Some("look"), Some("image/png")));
    assert_eq!(client.client().download(&image).await?, picture().bytes);
    // The owner's phone has it as well.
    let media = first(&owner).await?.media.context("a file")?;
    assert_eq!((media.state.as_str(), media.size_bytes), ("ok", 100_000));

    let path = image.direct_path.clone().context("a path")?;
    let part = plain_http()?.get(format!("{}{path}", served.base_url)).header("range", "bytes=16-31");
    let part = part.send().await?;
    assert_eq!((part.status().as_u16(), part.bytes().await?.len()), (206, 16));
    let nowhere = plain_http()?.get(format!("{}/o1/v/nothing", served.base_url)).send().await?;
    assert_eq!(nowhere.status(), 404);

    served.advance(limits::MEDIA_KEPT_MS);
    assert!(client.client().download(&image).await.is_err());
    assert_eq!(plain_http()?.get(format!("{}{path}", served.base_url)).send().await?.status(), 410);
    Ok(())
}

#[tokio::test]
async fn a_phone_fetches_checks_and_shows_what_a_client_sends() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let client = served.paired(&owner).await?;
    let file = vec![7_u8; 6_000_000];
    // Large enough for the client to ask first whether the file is there: the second time it is.
    let uploads = [
        client.client().upload(file.clone(), MediaType::Document, Default::default()).await?,
        client.client().upload(file, MediaType::Document, Default::default()).await?,
    ];
    for upload in uploads {
        let document = wa::message::DocumentMessage {
            mimetype: Some("application/pdf".to_owned()),
            file_name: Some("report.pdf".to_owned()),
            media_key: Some(upload.media_key.to_vec()),
            file_sha256: Some(upload.file_sha256.to_vec()),
            file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
            file_length: Some(upload.file_length),
            direct_path: Some(upload.direct_path),
            ..Default::default()
        };
        let message = wa::Message { document_message: document.into(), ..Default::default() };
        client.client().send_message(whatsapp_rust::Jid::pn("15550002222"), message).await?;
    }
    let inbox = until("two documents", || async {
        Ok(Some(contact.inbox().await?).filter(|inbox| inbox.len() == 2))
    })
    .await?;
    for entry in inbox {
        assert_eq!(entry.r#type, "document");
        let MediaInfo { mime_type, filename, size_bytes, state, .. } = entry.media.context("a file")?;
        assert_eq!(
            (mime_type.as_deref(), filename.as_deref()),
            (Some("application/pdf"), Some("report.pdf"))
        );
        assert_eq!((size_bytes, state.as_str()), (6_000_000, "ok"));
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_gone_is_uploaded_again_by_the_phone_on_request() -> Result<()> {
    let served = Served::in_memory().await?;
    let (owner, contact) = (served.phone(OWNER).await?, served.phone(CONTACT).await?);
    let mut client = served.paired(&owner).await?;
    contact.send_media(OWNER, picture()).await?;
    let (id, mut image) = image(&mut client).await?;
    served.network().inject(FaultRequest { kind: "media_gone".to_owned(), ..Default::default() }).await?;
    assert!(client.client().download(&image).await.is_err());

    let chat = whatsapp_rust::Jid::pn("15550002222");
    let key = image.media_key.clone().context("a key")?;
    let own = client.client();
    let request = |media_key| MediaReuploadRequest {
        msg_id: &id,
        chat_jid: &chat,
        media_key,
        is_from_me: false,
        participant: None,
    };
    let refused = own.media_reupload().request(&request(&[9; 32])).await?;
    assert!(matches!(refused, MediaRetryResult::DecryptionError), "{refused:?}");
    let MediaRetryResult::Success { direct_path } = own.media_reupload().request(&request(&key)).await?
    else {
        anyhow::bail!("the phone did not upload it again")
    };
    assert_ne!(Some(&direct_path), image.direct_path.as_ref());
    image.direct_path = Some(direct_path);
    assert_eq!(own.download(&image).await?, picture().bytes);
    Ok(())
}

#[tokio::test]
async fn an_upload_needs_a_permission_and_the_right_hash() -> Result<()> {
    let served = Served::in_memory().await?;
    served.network().info().await?;
    let http = plain_http()?;
    // The hash of nothing.
    let hash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let upload = |path: String, body: &'static str| {
        let request = http.post(format!("{}{path}", served.base_url)).body(body);
        async move { anyhow::Ok(request.send().await?.status().as_u16()) }
    };
    assert_eq!(upload(format!("/mms/image/{hash}?auth=1.9999999999999.x"), "").await?, 401);
    assert_eq!(upload(format!("/mms/image/{hash}?auth=nobody"), "").await?, 401);
    assert_eq!(upload(format!("/mms/image/{hash}?auth=nobody"), "something else").await?, 400);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_with_its_field() -> Result<()> {
    let served = Served::in_memory().await?;
    let phone = served.phone(OWNER).await?;
    for (media, pointer) in [
        (NewMedia { bytes: Vec::new(), ..picture() }, "/media/data"),
        (NewMedia { filename: Some("a".to_owned()), ..picture() }, "/filename"),
        (NewMedia { kind: MediaKind::Voice, ..picture() }, "/caption"),
        (NewMedia { mime_type: Some("x".repeat(101)), ..picture() }, "/media/mime_type"),
    ] {
        assert_eq!(phone.send_media(OWNER, media).await.unwrap_err().pointer, Some(pointer));
    }
    Ok(())
}
