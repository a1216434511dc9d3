//! A plaintext connection cannot be read after it went into TLS.

use world::clock::Monotonic;
use world::line::{Connection, Plain};
use world::net::TlsServer;

async fn starttls(mut connection: Connection<Plain>, tls: &dyn TlsServer, deadline: Monotonic) {
    let secured = connection.into_tls(tls, deadline).await;
    let _ = connection.read_line(512, deadline).await;
    drop(secured);
}

fn main() {}
