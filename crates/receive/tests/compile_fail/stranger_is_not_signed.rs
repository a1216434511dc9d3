//! What a stranger or a program of this machine brought cannot be signed with our keys.
use queue::{LocalProgram, Signer, Stranger};

fn main() {
    let signer = Signer::default();
    let _ = signer.begin(&Stranger, b"From: a@example.org\r\n\r\n");
    let _ = signer.begin(&LocalProgram, b"From: a@example.org\r\n\r\n");
}
