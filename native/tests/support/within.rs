//! A limit on how long something may take.

use std::time::Duration;

/// What `work` comes to, which it must within so many seconds.
pub(crate) async fn within<T>(seconds: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), work)
        .await
        .expect("in time")
}
