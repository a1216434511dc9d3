//! imap-codec as the other opinion: on commands both know, and on every response we build.

use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::{CommandCodec, GreetingCodec, ResponseCodec};

use crate::parse::request;

/// What is left after one response, as they read it.
pub(crate) fn decoded(octets: &[u8]) -> &[u8] {
    match ResponseCodec::default().decode(octets) {
        Ok((rest, _)) => rest,
        Err(error) => panic!("{error:?}: {}", octets.escape_ascii()),
    }
}

/// Commands that both know and take. They read, write what they understood, and we must understand the same as from the original.
const BOTH_TAKE: &str = r#"
CAPABILITY|NOOP|LOGOUT|STARTTLS|CHECK|CLOSE|UNSELECT|EXPUNGE|IDLE|NAMESPACE
AUTHENTICATE PLAIN|AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=|AUTHENTICATE PLAIN =|AUTHENTICATE LOGIN
LOGIN SMITH SESAME|LOGIN "a b" "c \"d\\"|LOGIN {5}~alice {3+}~a b
ENABLE CONDSTORE|ID NIL|ID ("name" "sodr" "version" "19.34")
SELECT INBOX|SELECT blurdybloop|SELECT "a b/c"|SELECT INBOX (CONDSTORE)|EXAMINE Entw&APw-rfe
CREATE owatagusiam|CREATE owatagusiam/blurdybloop|DELETE foo/bar|RENAME blurdybloop sarasoop|RENAME INBOX old-mail
SUBSCRIBE a/b|UNSUBSCRIBE a/b|LIST "" ""|LIST "" *|LIST "~/Mail/" %|LIST a/ "x y*"|LSUB "" *|LSUB "" "a.*"
STATUS blurdybloop (UIDNEXT MESSAGES)|STATUS INBOX (RECENT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ DELETED)
UID EXPUNGE 3000:3002
SEARCH ALL|SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"|SEARCH TEXT "string not in mailbox"|SEARCH CHARSET UTF-8 TEXT {6}~foobar
SEARCH OR SEEN (DELETED NEW)|SEARCH 1:3,5 UID 7:9|SEARCH HEADER X-Spam "" LARGER 100 SMALLER 200|SEARCH KEYWORD $Junk UNKEYWORD x
SEARCH BEFORE 01-Feb-1994 ON "2-Mar-2000" SENTBEFORE 3-Apr-2001 SENTON 4-May-2002 SENTSINCE 5-Jun-2003|UID SEARCH OLDER 60 YOUNGER 600
SEARCH BCC a CC b TO c SUBJECT d BODY e OLD RECENT|SEARCH ANSWERED UNANSWERED DRAFT UNDRAFT UNFLAGGED UNSEEN UNDELETED|SEARCH MODSEQ 620162338
FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])|FETCH 1 ALL|FETCH 1 FAST|FETCH 1 FULL|FETCH 12 BODY[HEADER]|FETCH 1:* UID
FETCH 1 (UID BODYSTRUCTURE BODY RFC822 RFC822.SIZE RFC822.HEADER RFC822.TEXT ENVELOPE INTERNALDATE MODSEQ)
FETCH 1 BODY.PEEK[]<0.2048>|FETCH 1 BODY[1.2.MIME]|FETCH 1 BODY[3.HEADER.FIELDS.NOT (a b)]|FETCH 1 BODY[4.2.2.1]|FETCH 1 BODY[2.TEXT]
UID FETCH 4827313:4828442 FLAGS|UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)
STORE 2:4 +FLAGS (\Deleted)|STORE 1 FLAGS.SILENT (\Seen $Junk)|STORE 1 -FLAGS ()|UID STORE 1 +FLAGS \Seen
UID STORE 5,7,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted)
COPY 2:4 MEETING|UID COPY 2:4 MEETING|MOVE 42:69 foo|UID MOVE 42:69 foo
"#;

/// Commands that both refuse.
const BOTH_REFUSE: &str = r#"
LOGIN|LOGIN a|LOGIN a b c|SELECT|SELECT a b|CREATE|STATUS a (BOGUS)|SEARCH|SEARCH BOGUS|SEARCH ()|SEARCH ON 30-Foo-2024
FETCH|FETCH 1|FETCH 0 FLAGS|FETCH 1 BODY[0]|FETCH 1 BODY[MIME]|FETCH 1 BODY[]<0.0>|FETCH 1 BODY[HEADER.FIELDS ()]|FETCH a FLAGS
STORE 1 LABELS x|STORE 1 FLAGS|COPY 1|UID NOOP|BOGUS|AUTHENTICATE|AUTHENTICATE PLAIN x|RENAME a|ID ("a")|LIST ""|UID EXPUNGE
"#;

/// One frame per `|` and line; `~` stands for CR LF after a literal's size.
fn frames(table: &str) -> Vec<Vec<u8>> {
    let lines = table.split(['|', '\n']).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line = if line.contains("}~") {
                line.replace("}~", "}\r\n")
            } else {
                line.to_owned()
            };
            format!("a1 {line}\r\n").into_bytes()
        })
        .collect()
}

#[test]
fn both_parsers_understand_the_same() {
    let frames = frames(BOTH_TAKE);
    assert!(frames.len() >= 60, "{} commands", frames.len());
    let differing: Vec<String> = frames.iter().filter_map(|frame| difference(frame)).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

fn difference(frame: &[u8]) -> Option<String> {
    let shown = frame.escape_ascii();
    let ours = match request(frame) {
        Ok(ours) => ours,
        Err(fault) => return Some(format!("{shown}: we refuse: {}", fault.text)),
    };
    let theirs = match CommandCodec::default().decode(frame) {
        Ok((&[], theirs)) => theirs,
        other => return Some(format!("{shown}: they refuse: {other:?}")),
    };
    let rewritten = CommandCodec::default().encode(&theirs).dump();
    (request(&rewritten) != Ok(ours))
        .then(|| format!("{shown}: they understand {}", rewritten.escape_ascii()))
}

#[test]
fn both_parsers_refuse_the_same() {
    let taken = |frame: &Vec<u8>| request(frame).is_ok() || CommandCodec::default().decode(frame).is_ok();
    let taken: Vec<String> = frames(BOTH_REFUSE)
        .iter()
        .filter(|frame| taken(frame))
        .map(|frame| frame.escape_ascii().to_string())
        .collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

#[test]
fn greetings_are_understood() {
    let mut out = crate::out::Out::new();
    out.ok(
        Some(&crate::out::Code::Capability("IMAP4rev1 STARTTLS LOGINDISABLED")),
        "Hearthpost ready",
    );
    let (rest, _) = GreetingCodec::default().decode(out.bytes()).expect("a greeting");
    assert!(rest.is_empty());
}
