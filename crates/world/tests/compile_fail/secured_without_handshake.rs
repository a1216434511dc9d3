//! Nobody can claim TLS without a handshake.

use world::line::{Connection, Plain, Secured};
use world::net::TlsFacts;

fn pretend(connection: Connection<Plain>, facts: Box<TlsFacts>) -> Connection<Secured> {
    let driver = connection.driver;
    Connection { driver, state: Secured { facts } }
}

fn main() {}
