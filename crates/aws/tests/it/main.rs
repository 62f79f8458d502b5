//! The engine against emulators: ministack and DynamoDB Local, which is Amazon's own word on DynamoDB.
//!
//! `cargo xtask test aws` installs both and runs this.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod conforms;
mod emulators;
mod fixture;
mod journal;
mod left_over;
mod members;
mod messages;
mod network;
mod rebuild;
mod records;
mod refeed;
mod scan;
mod secrets;
mod sign_in;
mod work;
mod world;

/// Runs each function as a test on both emulators of DynamoDB.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn on_ministack() {
                super::$name($crate::fixture::Fixture::new($crate::emulators::Dynamo::Ministack).await).await;
            }

            #[tokio::test]
            async fn on_dynamodb_local() {
                super::$name($crate::fixture::Fixture::new($crate::emulators::Dynamo::Local).await).await;
            }
        }
    )+};
}
pub(crate) use on_both;
