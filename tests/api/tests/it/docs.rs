//! The interactive documentation, as a browser and as a person with curl get it.

use anyhow::{Result, ensure};
use waxwing_tests_api::{Waxwing, http_client};

#[tokio::test]
async fn pages_go_packed_to_those_who_take_it_and_plain_to_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let waxwing = Waxwing::start(folder.path()).await?;
    let (http, base) = (http_client()?, waxwing.client()?.base_url().to_owned());
    for (page, begins) in [("", "<"), ("swagger-ui.css", "."), ("swagger-initializer.js", "")] {
        let address = format!("{base}/api/docs/{page}");
        let plain = http.get(&address).send().await?;
        ensure!(plain.status() == 200 && !plain.headers().contains_key("content-encoding"), "{plain:?}");
        let kind = plain.headers()["content-type"].clone();
        let text = plain.text().await?;
        ensure!(text.starts_with(begins) && text.len() > 100, "{page}: {}", text.len());

        let packed = http.get(&address).header("accept-encoding", "gzip, br").send().await?;
        ensure!(packed.headers()["content-type"] == kind, "{packed:?}");
        let encoded = packed.headers().get("content-encoding").is_some_and(|encoding| encoding == "gzip");
        let bytes = packed.bytes().await?;
        ensure!(encoded == bytes.starts_with(&[0x1f, 0x8b]), "{page}");
        ensure!(!encoded || bytes.len() < text.len(), "{page}: {} of {}", bytes.len(), text.len());
    }
    let css = http.get(format!("{base}/api/docs/swagger-ui.css")).header("accept-encoding", "gzip");
    let css = css.send().await?;
    ensure!(css.headers()["content-encoding"] == "gzip" && css.headers()["vary"] == "accept-encoding");
    Ok(())
}
