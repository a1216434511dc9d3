//! COMPRESS=DEFLATE (RFC 4978).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Client, World};

/// A client that compresses: its own two streams, kept from the first octet to the last.
struct Compressed {
    client: Client,
    inward: Decompress,
    outward: Compress,
    text: String,
}

impl Compressed {
    async fn begin(mut client: Client) -> Self {
        let lines = client.ok("COMPRESS DEFLATE").await;
        assert_eq!(lines, ["OK DEFLATE active"]);
        assert!(client.unread.is_empty());
        Self {
            client,
            inward: Decompress::new(false),
            outward: Compress::new(Compression::best(), false),
            text: String::new(),
        }
    }

    fn deflated(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + 1024);
        self.outward
            .compress_vec(plain, &mut out, FlushCompress::Sync)
            .unwrap();
        out
    }

    async fn send(&mut self, plain: &[u8]) {
        let octets = self.deflated(plain);
        self.client.wire.write_all(&octets).await.unwrap();
    }

    /// Everything up to and with a text; empty at the end of the connection.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let mut octets = vec![0; 65_536];
            let read = self.client.wire.read(&mut octets).await.unwrap_or(0);
            if read == 0 {
                return String::new();
            }
            let mut plain = Vec::with_capacity(1 << 20);
            self.inward
                .decompress_vec(&octets[..read], &mut plain, FlushDecompress::Sync)
                .unwrap();
            self.text.push_str(&String::from_utf8_lossy(&plain));
        }
    }
}

#[tokio::test]
async fn both_directions_are_compressed() {
    let world = World::new().await;
    for number in 0..50 {
        let message = format!("Subject: number {number}\r\n\r\n{}\r\n", "hello ".repeat(200));
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let mut guest = world.secure().await;
    assert!(!guest.ok("CAPABILITY").await[0].contains("COMPRESS"));
    guest.refused("COMPRESS DEFLATE", "BAD").await;
    let mut client = world.user("alice").await;
    assert!(client.ok("CAPABILITY").await[0].contains("COMPRESS=DEFLATE"));
    client.refused("COMPRESS LZW", "NO").await;
    let mut client = Compressed::begin(client).await;
    client
        .send(b"a CAPABILITY\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n")
        .await;
    assert!(!client.until("a OK").await.contains("COMPRESS"));
    assert!(client.until("b OK").await.contains("* 50 EXISTS"));
    let fetched = client.until("c OK").await;
    assert_eq!(fetched.matches("hello ").count(), 50 * 200);
    client.send(b"d COMPRESS DEFLATE\r\n").await;
    client.until("d NO [COMPRESSIONACTIVE]").await;
    // A message that swells a thousandfold, octet by octet of its compressed form.
    let message = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(1 << 20));
    let command = format!("e APPEND INBOX {{{}+}}\r\n{message}\r\n", message.len());
    for octet in client.deflated(command.as_bytes()) {
        client.client.wire.write_all(&[octet]).await.unwrap();
    }
    client.until("e OK").await;
    client.send(b"f IDLE\r\n").await;
    client.until("+ ").await;
    world
        .deliver("alice@example.test", b"Subject: y\r\n\r\nx\r\n")
        .await;
    client.until("* 52 EXISTS").await;
    client.send(b"DONE\r\ng UNAUTHENTICATE\r\n").await;
    client.until("g OK").await;
    let mut plain = client.client;
    assert!(
        plain.ok("CAPABILITY").await[0].contains("AUTH=PLAIN"),
        "the layer ended with the sign-in"
    );
}

/// IMP-6: what a compressed stream swells to is held to the limits of commands.
#[tokio::test]
async fn imp_6_a_compressed_flood_is_refused_like_a_plain_one() {
    let world = World::new().await;
    let mut client = Compressed::begin(world.user("alice").await).await;
    let flood = client.deflated(&vec![b'x'; 100 << 20]);
    assert!(flood.len() < 1 << 20);
    let mut wire = client.client;
    // The server may close before it read everything.
    let _cut = wire.wire.write_all(&flood).await;
    wire.rest_of_raw().await;
    let mut torn = Compressed::begin(world.user("alice").await).await;
    torn.client.wire.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(torn.until("nothing").await, "");
}
