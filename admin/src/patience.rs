use std::time::Duration;

use waxwing_app::ports::PortError;

/// Each try is several tries of the engine. With the pauses between them, an outage of half a minute ends nothing.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Tries again what failed in a way that passes.
pub(crate) async fn patiently<T>(
    mut attempt: impl AsyncFnMut() -> Result<T, PortError>,
) -> Result<T, PortError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match attempt().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            },
            ended => return ended,
        }
    }
    attempt().await
}
