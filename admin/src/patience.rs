use waxwing_app::{patience::Patience, ports::PortError};

/// Tries again what failed in a way that passes.
pub(crate) async fn patiently<T>(
    mut attempt: impl AsyncFnMut() -> Result<T, PortError>,
) -> Result<T, PortError> {
    let mut patience = Patience::default();
    loop {
        match attempt().await {
            Err(error) => patience.after(error).await?,
            ended => return ended,
        }
    }
}
