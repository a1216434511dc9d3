use super::*;
use crate::answer::Answer;
use crate::command::{FetchItem, FetchSection, Partial, Section, SectionText, StatusItem};
use crate::date::DateTime;
use crate::name::MailboxName;
use crate::oracle::decoded;

/// What was written; their decoder must take all of it.
fn written(write: impl FnOnce(&mut Out)) -> String {
    let mut out = Out::new();
    write(&mut out);
    let mut rest = out.bytes();
    while !rest.is_empty() {
        rest = decoded(rest);
    }
    String::from_utf8(out.take()).expect("ASCII")
}

fn name(text: &str) -> MailboxName {
    MailboxName::from_utf8(text).expect("a name")
}

fn tag() -> Tag {
    Tag::new(b"A1").expect("a tag")
}

#[test]
fn status_responses_are_written_as_the_grammar_has_them() {
    for (line, wanted) in [
        (
            written(|out| out.ok(Some(&Code::UidValidity(3_857_529_045)), "UIDs valid")),
            "* OK [UIDVALIDITY 3857529045] UIDs valid\r\n",
        ),
        (
            written(|out| out.no(None, "Disk is 98% full")),
            "* NO Disk is 98% full\r\n",
        ),
        (
            written(|out| out.bye(Some(&Code::Unavailable), "")),
            "* BYE [UNAVAILABLE] .\r\n",
        ),
        (
            written(|out| out.bad(None, "a\r\n* OK forged \0 ä")),
            "* BAD a??* OK forged ? ?\r\n",
        ),
        (
            written(|out| out.refuse(Some(&tag()), None, "Unknown command")),
            "A1 BAD Unknown command\r\n",
        ),
        (
            written(|out| out.refuse(None, None, "Unknown command")),
            "* BAD Unknown command\r\n",
        ),
        (
            written(|out| out.refuse_no(Some(&tag()), Some(&Code::TooBig), "No")),
            "A1 NO [TOOBIG] No\r\n",
        ),
    ] {
        assert_eq!(line, wanted);
    }
    let mut out = Out::new();
    out.continuation("idling");
    out.challenge("VXNlcm5hbWU6");
    out.challenge("");
    assert_eq!(out.take(), b"+ idling\r\n+ VXNlcm5hbWU6\r\n+ \r\n");
    assert!(out.is_empty());
}

#[test]
fn every_code_is_decodable() {
    let (ranges, flags) = ([(1, 3), (7, 7)], ["\\Seen", "$Junk", "bad flag"]);
    for (code, wanted) in [
        (Code::Alert, "ALERT"),
        (Code::AlreadyExists, "ALREADYEXISTS"),
        (Code::AppendUid(38_505, &ranges[1..]), "APPENDUID 38505 7"),
        (Code::AuthenticationFailed, "AUTHENTICATIONFAILED"),
        (Code::AuthorizationFailed, "AUTHORIZATIONFAILED"),
        (Code::BadCharset, "BADCHARSET (US-ASCII UTF-8)"),
        (Code::Cannot, "CANNOT"),
        (
            Code::Capability("IMAP4rev1 LITERAL-"),
            "CAPABILITY IMAP4rev1 LITERAL-",
        ),
        (Code::ClientBug, "CLIENTBUG"),
        (Code::Closed, "CLOSED"),
        (Code::ContactAdmin, "CONTACTADMIN"),
        (
            Code::CopyUid(38_505, &ranges, &[(304, 306), (9, 9)]),
            "COPYUID 38505 1:3,7 304:306,9",
        ),
        (Code::Expired, "EXPIRED"),
        (Code::HasChildren, "HASCHILDREN"),
        (Code::HighestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007"),
        (Code::InUse, "INUSE"),
        (Code::Limit, "LIMIT"),
        (Code::MailboxId("f1"), "MAILBOXID (f1)"),
        (Code::Modified(&ranges), "MODIFIED 1:3,7"),
        (Code::NoModSeq, "NOMODSEQ"),
        (Code::NonExistent, "NONEXISTENT"),
        (Code::NoPerm, "NOPERM"),
        (Code::OverQuota, "OVERQUOTA"),
        (Code::Parse, "PARSE"),
        (
            Code::PermanentFlags(&flags, true),
            "PERMANENTFLAGS (\\Seen $Junk \\*)",
        ),
        (Code::PermanentFlags(&[], false), "PERMANENTFLAGS ()"),
        (Code::PrivacyRequired, "PRIVACYREQUIRED"),
        (Code::ReadOnly, "READ-ONLY"),
        (Code::ReadWrite, "READ-WRITE"),
        (Code::ServerBug, "SERVERBUG"),
        (Code::TooBig, "TOOBIG"),
        (Code::TryCreate, "TRYCREATE"),
        (Code::UidNext(4392), "UIDNEXT 4392"),
        (Code::UidValidity(1), "UIDVALIDITY 1"),
        (Code::Unavailable, "UNAVAILABLE"),
        (Code::Unseen(12), "UNSEEN 12"),
        (Code::UseAttr, "USEATTR"),
    ] {
        assert_eq!(
            written(|out| out.ok(Some(&code), "x")),
            format!("* OK [{wanted}] x\r\n")
        );
    }
}

#[test]
fn answers_say_what_completed() {
    let request = |line: &[u8]| crate::parse::request(line).expect("a command");
    let mut out = Out::new();
    match Answer::<()>::to(&request(b"A1 FETCH 1 FLAGS\r\n")) {
        Answer::Reading(reading) => reading.ok(&mut out, None),
        Answer::Change(_) => panic!("FETCH reads"),
    }
    match Answer::<&str>::to(&request(b"A2 STORE 1 FLAGS ()\r\n")) {
        Answer::Change(change) => change.ok(&mut out, "proof", Some(Code::HighestModSeq(5))),
        Answer::Reading(_) => panic!("STORE changes"),
    }
    Answer::<()>::to(&request(b"A3 EXPUNGE\r\n")).no(&mut out, Some(Code::ReadOnly), "Opened by EXAMINE");
    let text = String::from_utf8(out.take()).expect("ASCII");
    assert_eq!(
        text,
        "A1 OK FETCH completed\r\nA2 OK [HIGHESTMODSEQ 5] STORE completed\r\nA3 NO [READ-ONLY] Opened by EXAMINE\r\n"
    );
}

#[test]
fn what_is_told_of_mailboxes_is_written_as_the_grammar_has_it() {
    let line = |attributes: &[&'static str], mailbox: &str| {
        let mailbox = name(mailbox);
        written(|out| {
            out.list_line(&ListLine {
                attributes: attributes.to_vec(),
                name: &mailbox,
                child_info: &[],
                old_name: None,
            })
        })
    };
    assert_eq!(
        line(&["\\HasNoChildren"], "INBOX"),
        "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
    );
    assert_eq!(line(&[], "a b/\"c\\"), "* LIST () \"/\" \"a b/\\\"c\\\\\"\r\n");
    assert_eq!(
        line(&["\\Drafts"], "Entwürfe"),
        "* LIST (\\Drafts) \"/\" Entw&APw-rfe\r\n"
    );
    assert_eq!(line(&[], "nil"), "* LIST () \"/\" \"nil\"\r\n");
    assert_eq!(line(&[], "100%"), "* LIST () \"/\" \"100%\"\r\n");
    let mut out = Out::new();
    out.list_line(&ListLine {
        attributes: vec![],
        name: &name("a"),
        child_info: &["SUBSCRIBED"],
        old_name: None,
    });
    assert_eq!(
        out.take(),
        b"* LIST () \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
    );
    assert_eq!(written(Out::list_separator), "* LIST (\\Noselect) \"/\" \"\"\r\n");
    let lsub = name("a");
    let lsub = ListLine {
        attributes: vec!["\\Noselect"],
        name: &lsub,
        child_info: &[],
        old_name: None,
    };
    assert_eq!(
        written(|out| out.lsub_line(&lsub)),
        "* LSUB (\\Noselect) \"/\" a\r\n"
    );
    let values = [
        StatusValue::Number(StatusItem::Messages, 231),
        StatusValue::Number(StatusItem::UidNext, 44_292),
        StatusValue::Number(StatusItem::Size, 8_589_934_592),
        StatusValue::Number(StatusItem::HighestModSeq, 7_011_231_777),
    ];
    assert_eq!(
        written(|out| out.status_line(&name("blurdybloop"), &values)),
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 SIZE 8589934592 HIGHESTMODSEQ 7011231777)\r\n"
    );
    let mut out = Out::new();
    out.status_line(
        &name("a"),
        &[StatusValue::MailboxId("f1"), StatusValue::NoAppendLimit],
    );
    assert_eq!(out.take(), b"* STATUS a (MAILBOXID (f1) APPENDLIMIT NIL)\r\n");
}

#[test]
fn what_is_told_of_the_session_is_written_as_the_grammar_has_it() {
    assert_eq!(
        written(|out| out.capability("IMAP4rev1 IDLE")),
        "* CAPABILITY IMAP4rev1 IDLE\r\n"
    );
    assert_eq!(
        written(|out| out.enabled(["CONDSTORE"])),
        "* ENABLED CONDSTORE\r\n"
    );
    assert_eq!(
        written(Out::namespace),
        "* NAMESPACE ((\"\" \"/\")) ((\"#shared/\" \"/\")) NIL\r\n"
    );
    assert_eq!(
        written(|out| out.id(&[("name", "Hearthpost")])),
        "* ID (\"name\" \"Hearthpost\")\r\n"
    );
    assert_eq!(written(|out| out.id(&[])), "* ID NIL\r\n");
    assert_eq!(written(|out| out.search([2, 3, 6], None)), "* SEARCH 2 3 6\r\n");
    assert_eq!(written(|out| out.search([], None)), "* SEARCH\r\n");
    assert_eq!(
        written(|out| out.search([2, 5], Some(917_162_500))),
        "* SEARCH 2 5 (MODSEQ 917162500)\r\n"
    );
    assert_eq!(
        written(|out| out.mailbox_flags(["\\Answered", "x y", "$Junk"])),
        "* FLAGS (\\Answered $Junk)\r\n"
    );
    assert_eq!(written(|out| out.exists(23)), "* 23 EXISTS\r\n");
    assert_eq!(written(|out| out.recent(0)), "* 0 RECENT\r\n");
    assert_eq!(written(|out| out.expunge(44)), "* 44 EXPUNGE\r\n");
}

#[test]
fn strings_never_break_the_line() {
    for (value, wanted) in [
        (&b"plain"[..], "\"plain\""),
        (b"", "\"\""),
        (b"q\"b\\", "\"q\\\"b\\\\\""),
        (b"a\r\nb", "{4}\r\na\r\nb"),
        (b"a\0b", "\"ab\""),
        ("ä".as_bytes(), "{2}\r\nä"),
        (b"\x7f", "{1}\r\n\x7f"),
        (b"a\tb", "\"a\tb\""),
    ] {
        let mut out = Out::new();
        out.string(value);
        assert_eq!(out.take(), wanted.as_bytes());
    }
    let mut out = Out::new();
    out.string(&[b'x'; 1001]);
    assert!(out.take().starts_with(b"{1001}\r\n"));
}

#[test]
fn fetch_lines_are_written_item_by_item() {
    let section = |text: SectionText, partial: Option<Partial>| {
        FetchItem::Section(FetchSection {
            peek: true,
            section: Section {
                part: Vec::new(),
                text,
            },
            partial,
        })
    };
    let fields = SectionText::HeaderFields(vec!["DATE".to_owned(), "From".to_owned()]);
    let partial = Partial {
        offset: 5,
        length: std::num::NonZeroU32::MIN,
    };
    let line = written(|out| {
        let mut line = out.fetch(12);
        line.flags(["\\Seen", "\\Recent"]);
        line.uid(4_827_313);
        line.internal_date(DateTime {
            unix_seconds: 837_596_665,
            zone_minutes: -420,
        });
        line.size(4286);
        line.modseq(624_140_003);
        line.octets(&section(SectionText::All, None), Octets::Of(b"a\r\nb"));
        line.octets(&section(fields, Some(partial)), Octets::Nil);
        line.octets(&FetchItem::Rfc822Text, Octets::Of(b""));
        line.finish();
    });
    assert_eq!(
        line,
        "* 12 FETCH (FLAGS (\\Seen \\Recent) UID 4827313 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 MODSEQ (624140003) \
         BODY[] {4}\r\na\r\nb BODY[HEADER.FIELDS (DATE From)]<5> NIL RFC822.TEXT {0}\r\n)\r\n"
    );
    let mut out = Out::new();
    let mut line = out.fetch(1);
    line.email_id("m1");
    line.thread_id(None);
    line.thread_id(Some("t1"));
    line.finish();
    assert_eq!(
        out.take(),
        b"* 1 FETCH (EMAILID (m1) THREADID NIL THREADID (t1))\r\n"
    );
}

#[test]
fn long_items_can_be_streamed() {
    let mut out = Out::new();
    let mut line = out.fetch(1);
    line.octets_streamed(&FetchItem::Rfc822, 5);
    assert_eq!(line.take(), b"* 1 FETCH (RFC822 {5}\r\n");
    line.stream(b"abc");
    assert_eq!(line.owed(), 2);
    line.stream(b"defg");
    line.uid(7);
    line.finish();
    assert_eq!(out.take(), b"abcde UID 7)\r\n");
}

/// RFC 3501 §7.4.2, the example of ENVELOPE in §8.
#[test]
fn an_envelope_is_written_as_in_the_rfcs_example() {
    let header = b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
        Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
        cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
    let line = written(|out| {
        let mut line = out.fetch(12);
        line.envelope(&crate::describe::envelope(header));
        line.finish();
    });
    assert_eq!(
        line,
        "* 12 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.edu>\"))\r\n"
    );
}

#[test]
fn names_follow_the_mode() {
    let umlaut = name("Entwürfe");
    let line = ListLine {
        attributes: vec![],
        name: &umlaut,
        child_info: &["SUBSCRIBED"],
        old_name: Some("Entwu\u{308}rfe"),
    };
    for mode in [
        crate::mode::Mode {
            rev2: true,
            utf8: false,
        },
        crate::mode::Mode {
            rev2: false,
            utf8: true,
        },
    ] {
        let mut out = Out::new();
        out.set_mode(mode);
        out.list_line(&line);
        assert_eq!(
            String::from_utf8(out.take()).unwrap(),
            "* LIST () \"/\" \"Entwürfe\" (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"Entwu\u{308}rfe\"))\r\n"
        );
        out.recent(3);
        out.mailbox_flags(["\\Seen", "\\Recent"]);
        let told = if mode.rev2 {
            "* FLAGS (\\Seen)\r\n"
        } else {
            "* 3 RECENT\r\n* FLAGS (\\Seen \\Recent)\r\n"
        };
        assert_eq!(out.take(), told.as_bytes());
    }
}

#[test]
fn quota_language_and_metadata_are_told() {
    assert_eq!(
        written(|out| out.quota("mail", &[("STORAGE", 1, 10), ("MAILBOX", 6, 100)])),
        "* QUOTA mail (STORAGE 1 10 MAILBOX 6 100)\r\n"
    );
    assert_eq!(
        written(|out| out.quota_root(&name("a b"), "mail")),
        "* QUOTAROOT \"a b\" mail\r\n"
    );
    // The other decoder knows neither LANGUAGE nor METADATA.
    let written = |write: &dyn Fn(&mut Out)| {
        let mut out = Out::new();
        write(&mut out);
        String::from_utf8(out.take()).unwrap()
    };
    assert_eq!(
        written(&|out| out.language(&["EN", "I-DEFAULT"])),
        "* LANGUAGE (EN I-DEFAULT)\r\n"
    );
    let values: &[(&str, Option<&[u8]>)] = &[
        ("/private/comment", Some(b"mine")),
        ("/shared/none", None),
        ("/private/x", Some(b"a\0b")),
    ];
    assert_eq!(
        written(&|out| out.metadata(None, values)),
        "* METADATA \"\" (/private/comment \"mine\" /shared/none NIL /private/x ~{3}\r\na\0b)\r\n"
    );
    assert_eq!(
        written(&|out| out.metadata(Some(&name("INBOX")), &values[..1])),
        "* METADATA INBOX (/private/comment \"mine\")\r\n"
    );
}

#[test]
fn a_response_can_be_taken_back_while_it_is_whole() {
    let mut out = Out::new();
    out.ok(None, "before");
    let before = out.bytes().to_vec();
    let mut line = out.fetch(1);
    line.preview(&"x".repeat(5000));
    assert!(line.undo());
    assert_eq!(out.bytes(), before);
    let mut line = out.fetch(2);
    line.uid(7);
    let gone = line.take();
    assert!(gone.ends_with(b"* 2 FETCH (UID 7"));
    assert!(!line.undo(), "something of it is gone");
}
