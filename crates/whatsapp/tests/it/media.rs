//! Files of a session, to the sandbox's media host and back.

use waxwing_whatsapp::{MEDIA_BYTES_MAX, MediaError, MediaFile, MediaKind};

use crate::network::World;

/// Six million bytes: the library asks beforehand whether the network has a file of more than five.
fn picture() -> Vec<u8> {
    (0..6_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_uploaded_to_the_network_and_downloaded_again() {
    let world = World::new().await;
    let session = world.paired().await;
    let image = picture();
    for bytes in [image.clone(), image[..1_000].to_vec(), vec![7]] {
        let file = session.connection.upload(MediaKind::Image, bytes.clone()).await.unwrap();
        assert_eq!(file.size_bytes, u64::try_from(bytes.len()).unwrap());
        assert!(file.direct_path.starts_with("/o1/v/"), "{file:?}");
        assert!(session.connection.download(&file).await.unwrap() == bytes, "{file:?}");
    }
    for bytes in [Vec::new(), vec![0; MEDIA_BYTES_MAX + 1]] {
        assert_eq!(session.connection.upload(MediaKind::Image, bytes).await, Err(MediaError::Size));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_or_another_file_is_told_apart() {
    let world = World::new().await;
    let session = world.paired().await;
    let file = session.connection.upload(MediaKind::Image, vec![7; 1_000]).await.unwrap();
    let forged = [
        MediaFile { sha256: [1; 32], ..file.clone() },
        MediaFile { encrypted_sha256: [1; 32], ..file.clone() },
        MediaFile { key: [1; 32], ..file.clone() },
        MediaFile { kind: MediaKind::Video, ..file.clone() },
    ];
    for forged in forged {
        let refused = session.connection.download(&forged).await;
        assert!(matches!(refused, Err(MediaError::Failed(_))), "{refused:?}");
    }
    let never = MediaFile { direct_path: format!("{}x", file.direct_path), ..file.clone() };
    assert_eq!(session.connection.download(&never).await, Err(MediaError::Gone));
    world.fault("media_gone").await;
    assert_eq!(session.connection.download(&file).await, Err(MediaError::Gone));

    session.connection.close().await;
    assert_eq!(session.connection.download(&file).await, Err(MediaError::NotConnected));
}
