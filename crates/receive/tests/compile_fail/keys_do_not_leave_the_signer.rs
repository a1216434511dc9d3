//! The queue's signer gives no key out, and others cannot say what is signable.
use queue::{Signable, Signer, Stranger};

impl Signable for Stranger {
    const ABOVE: bool = true;
}

fn main() {
    let signer = Signer::default();
    let _ = signer.keys;
}
