//! The one outcome of a connection that may be on its way to the disk while the next message is begun.

use tokio::task::JoinHandle;

/// At most one outcome under way.
#[derive(Debug, Default)]
pub struct Pending(Option<JoinHandle<()>>);

impl Pending {
    /// Waits until nothing is under way. Cancel-safe.
    pub async fn settled(&mut self) {
        if let Some(recording) = self.0.as_mut() {
            // What becomes of the recipients of a recording that panicked was decided by `in_hand`.
            let _ = recording.await;
            self.0 = None;
        }
    }

    /// Begins with the next one; waits for the one before.
    pub async fn begin(&mut self, recording: impl Future<Output = ()> + Send + 'static) {
        self.settled().await;
        self.0 = Some(tokio::spawn(recording));
    }
}
