//! The client's side: any bytes as a server's replies.

use mail::address::Path;

use crate::BodyType;
use crate::client::{
    AfterAuth, AfterHello, AfterStartTls, ClientName, Credentials, DeliverBy, DeliverByMode, Final, Flavour,
    Greeting, Hello, MailRequest, Mailed, Mailing, RcptRequest, Ready, RecipientOutcome, Reply, ReplyReader,
    SendBody, Settled, Then,
};
use crate::dsn::{EnvId, Notify, OriginalRecipient, Ret};

/// Replies in two cuts: the same replies must come out, and nothing in them can harm a log.
pub fn fuzz_client_reply(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    let cut = usize::from(bytes.first().copied().unwrap_or(0) % 7) + 1;
    assert_eq!(whole, read(bytes, cut), "cutting never changes the outcome");
    for reply in whole.0 {
        assert!((200..600).contains(&reply.code) && !reply.lines.is_empty());
        assert!(!reply.to_string().contains(char::is_control));
        let _ = crate::client::Offers::of(&reply);
    }
}

fn read(bytes: &[u8], cut: usize) -> (Vec<Reply>, bool) {
    let (mut reader, mut replies) = (ReplyReader::new(), Vec::new());
    for mut piece in bytes.chunks(cut) {
        while !piece.is_empty() {
            let Ok(pushed) = reader.push(piece) else {
                return (replies, true);
            };
            replies.extend(pushed.reply);
            piece = &piece[pushed.consumed..];
        }
    }
    (replies, false)
}

/// A whole connection with `bytes` as everything the server says: every recipient has one outcome, and what is written
/// are lines of commands. The first octet chooses what the client wants.
pub fn fuzz_client_session(bytes: &[u8]) {
    let (choice, replies) = bytes
        .split_first()
        .map_or((0, bytes), |(first, rest)| (*first, rest));
    let mut server = Server {
        replies,
        reader: ReplyReader::new(),
    };
    let _ = converse(choice, &mut server);
}

struct Server<'a> {
    replies: &'a [u8],
    reader: ReplyReader,
}

impl Server<'_> {
    /// The next reply; nothing when the connection is lost.
    fn hear(&mut self) -> Option<Reply> {
        let pushed = self.reader.push(self.replies).ok()?;
        self.replies = &self.replies[pushed.consumed..];
        pushed.reply
    }
}

fn converse(choice: u8, server: &mut Server<'_>) -> Option<()> {
    let flavour = if choice & 1 == 0 {
        Flavour::Smtp
    } else {
        Flavour::Lmtp
    };
    let me = ClientName::new("client.example.org")?;
    let mut ready = greet(Greeting::new(me, flavour).reply(&server.hear()?).ok()?, server)?;
    if choice & 2 != 0 {
        let (_, wait) = ready.starttls();
        ready = match wait.reply(&server.hear()?) {
            AfterStartTls::Begin(begin) => greet(begin.done(), server)?,
            AfterStartTls::Refused(ready, _) => ready,
            AfterStartTls::Gone(_) => return None,
        };
    }
    if choice & 4 != 0 {
        ready = sign_in(ready, server)?;
    }
    loop {
        let settled = send(ready, choice, server)?;
        assert_eq!(settled.outcomes.len(), recipients().len());
        ready = match settled.then {
            Then::Ready(ready) => ready,
            Then::Close(_) => return None,
        };
    }
}

fn greet(mut hello: Hello, server: &mut Server<'_>) -> Option<Ready> {
    loop {
        assert_commands(&hello.command(), 1);
        hello = match hello.reply(&server.hear()?) {
            AfterHello::Ready(ready) => return Some(ready),
            AfterHello::Again(hello) => hello,
            AfterHello::Gone(_) => return None,
        };
    }
}

fn sign_in(ready: Ready, server: &mut Server<'_>) -> Option<Ready> {
    let mut wait = match ready.auth(&Credentials::new("user", "password")?) {
        Ok(wait) => wait,
        Err(ready) => return Some(ready),
    };
    loop {
        assert_commands(&wait.next_bytes(), 1);
        wait = match wait.reply(&server.hear()?) {
            AfterAuth::Ready(ready) | AfterAuth::Refused(ready, _) => return Some(ready),
            AfterAuth::More(wait) => wait,
            AfterAuth::Gone(_) => return None,
        };
    }
}

/// Sends one message. `None` when the connection was lost; then the recipients have outcomes all the same.
fn send(ready: Ready, choice: u8, server: &mut Server<'_>) -> Option<Settled> {
    let mut mailing = ready.mail(&request(choice), &recipients()).ok()?;
    loop {
        let bytes = mailing.next_bytes();
        let most = if bytes == b".\r\n" {
            1
        } else {
            recipients().len() + 3
        };
        assert_commands(&bytes, most);
        let Some(reply) = server.hear() else {
            return lost(mailing);
        };
        mailing = match mailing.reply(&reply) {
            Mailed::More(mailing) => mailing,
            Mailed::Send(body) => return end(body, server),
            Mailed::Over(settled) => {
                assert!(
                    settled.outcomes.iter().all(|outcome| !delivered(outcome)),
                    "nobody has a message that was not sent"
                );
                return Some(settled);
            }
        };
    }
}

fn end(mut body: SendBody, server: &mut Server<'_>) -> Option<Settled> {
    let accepted = body.recipients();
    assert!(accepted > 0, "a message is sent to somebody");
    let mut wire = Vec::new();
    body.piece(b"Subject: a\r\n\r\n.dot\r", &mut wire)
        .expect("fine text");
    let mut wait = body.finish(b"\n..\r\nend\r\n", &mut wire).expect("fine text");
    loop {
        let Some(reply) = server.hear() else {
            assert_eq!(wait.lost().len(), recipients().len());
            return None;
        };
        wait = match wait.reply(&reply) {
            Final::More(wait) => wait,
            Final::Settled(settled) => {
                let delivered = settled
                    .outcomes
                    .iter()
                    .filter(|outcome| delivered(outcome))
                    .count();
                assert!(delivered <= accepted, "only who was accepted has the message");
                return Some(settled);
            }
        };
    }
}

fn lost(mailing: Mailing) -> Option<Settled> {
    let outcomes = mailing.lost();
    assert_eq!(outcomes.len(), recipients().len());
    assert!(outcomes.iter().all(|outcome| !delivered(outcome)));
    None
}

fn delivered(outcome: &RecipientOutcome) -> bool {
    matches!(outcome, RecipientOutcome::Delivered(_))
}

fn request(choice: u8) -> MailRequest {
    MailRequest {
        size_bytes: Some(40),
        body: if choice & 8 == 0 {
            BodyType::SevenBit
        } else {
            BodyType::EightBitMime
        },
        ret: Some(Ret::Full),
        envid: EnvId::new("an id"),
        deliver_by: Some(DeliverBy {
            seconds: 60,
            mode: DeliverByMode::Notify,
            trace: false,
        }),
        chunking: choice & 16 == 0,
        ..MailRequest::new(Path::Null)
    }
}

fn recipients() -> Vec<RcptRequest> {
    ["a@example.org", "\"b c\"@example.org", "c@example.org"]
        .iter()
        .map(|address| RcptRequest {
            notify: Some(Notify::Never),
            orcpt: OriginalRecipient::new("rfc822", *address),
            ..RcptRequest::new(address.parse().expect("an address"))
        })
        .collect()
}

fn assert_commands(bytes: &[u8], most: usize) {
    super::assert_clean(bytes);
    assert!(bytes.is_empty() || bytes.ends_with(b"\r\n"));
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
    assert!(lines <= most, "{} lines where {most} may be", lines);
}
