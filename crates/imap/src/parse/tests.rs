use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::command::*;
use crate::date::{Date, DateTime};
use crate::flag::Flag;
use crate::name::MailboxName;

/// What a line of a command means, where it means anything.
pub(super) fn command(line: &str) -> Option<Command> {
    let request = request(format!("a {line}\r\n").as_bytes());
    request.ok().map(|request| request.command)
}

fn parsed(line: &str) -> Command {
    let frame = format!("a1 {line}\r\n");
    request(frame.as_bytes())
        .unwrap_or_else(|fault| panic!("{line}: {}", fault.text))
        .command
}

fn refused(line: &str) -> Fault {
    let frame = format!("a1 {line}\r\n");
    match request(frame.as_bytes()) {
        Err(fault) => fault,
        Ok(request) => panic!("{line} was accepted: {request:?}"),
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::from_utf8(text).expect("a name")
}

fn set(text: &str) -> SequenceSet {
    sequence_set(text.as_bytes()).expect("a set")
}

fn day(year: u16, month: u8, day: u8) -> Date {
    Date::new(year, month, day).expect("a day")
}

#[test]
fn commands_without_arguments() {
    for (line, wanted) in [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("LogOut", Command::Logout),
        ("STARTTLS", Command::StartTls),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge),
        ("IDLE", Command::Idle),
        ("NAMESPACE", Command::Namespace),
    ] {
        assert_eq!(parsed(line), wanted);
        assert!(!refused(&format!("{line} x")).is_no);
    }
}

#[test]
fn every_verb_can_be_said() {
    let lines = "CAPABILITY|NOOP|LOGOUT|STARTTLS|AUTHENTICATE PLAIN|LOGIN a b|ENABLE CONDSTORE|ID NIL|SELECT a|EXAMINE a|CREATE a|DELETE a|\
         RENAME a b|SUBSCRIBE a|UNSUBSCRIBE a|LIST \"\" *|LSUB \"\" *|NAMESPACE|STATUS a (MESSAGES)|APPEND a {1}|IDLE|NOTIFY NONE|REPLACE 1 a {1}|COMPRESS DEFLATE|UNAUTHENTICATE|LANGUAGE|GETQUOTA m|\
         GETQUOTAROOT a|SETQUOTA m ()|SETACL a b l|DELETEACL a b|GETACL a|LISTRIGHTS a b|MYRIGHTS a|GETMETADATA a /private/a|SETMETADATA a (/private/a NIL)|CHECK|CLOSE|UNSELECT|\
         EXPUNGE|UID EXPUNGE 1|SEARCH ALL|SORT (SIZE) UTF-8 ALL|THREAD REFERENCES UTF-8 ALL|ESEARCH IN (personal) ALL|CANCELUPDATE \"a\"|RESETKEY|GENURLAUTH a b|URLFETCH a|UIDBATCHES 500|FETCH 1 UID|STORE 1 FLAGS ()|COPY 1 a|MOVE 1 a";
    let verbs: Vec<Verb> = lines.split('|').map(|line| parsed(line).verb()).collect();
    assert_eq!(verbs, Verb::ALL);
}

#[test]
fn tags_are_checked() {
    for bad in [
        "",
        " NOOP",
        "+ NOOP",
        "a+b NOOP",
        "a(b NOOP",
        "a1",
        "a1NOOP",
        "a\"b NOOP",
        "é NOOP",
    ] {
        assert_eq!(request(format!("{bad}\r\n").as_bytes()).expect_err(bad).tag, None);
    }
    assert!(request([&[b'x'; 129], b" NOOP\r\n".as_slice()].concat().as_slice()).is_err());
    assert_eq!(request(b"A]1 NOOP\r\n").expect("a tag").tag.as_str(), "A]1");
    assert_eq!(refused("WHAT").tag.expect("a tag").as_str(), "a1");
}

#[test]
fn login_takes_any_string() {
    for (line, user, password) in [
        ("LOGIN SMITH SESAME", "SMITH", "SESAME"),
        ("LOGIN \"a \\\"b\\\\\" \"\"", "a \"b\\", ""),
        (
            "LOGIN {11}\r\nFRED FOOBAR {7+}\r\nfat man",
            "FRED FOOBAR",
            "fat man",
        ),
        ("LOGIN alice \"pä\"", "alice", "pä"),
        ("LOGIN a]b x]", "a]b", "x]"),
    ] {
        let wanted = Login {
            user: user.into(),
            password: Secret::new(password.into()),
        };
        assert_eq!(parsed(line), Command::Login(wanted), "{line}");
    }
    for bad in [
        "LOGIN",
        "LOGIN a",
        "LOGIN a b c",
        "LOGIN (a) b",
        "LOGIN a \"b",
        "LOGIN a \"\\b\"",
        "LOGIN a {3}\r\nb",
        "LOGIN a {1}\r\n\0",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

#[test]
fn passwords_do_not_show_in_debug() {
    let command = parsed("LOGIN alice hunter2");
    assert!(!format!("{command:?}").contains("hunter2"));
    let frame = crate::frame::Frame::new(b"a LOGIN alice hunter2\r\n".to_vec());
    assert!(!format!("{frame:?}").contains("hunter2"));
}

#[test]
fn authenticate_may_bring_its_first_response() {
    let wanted = |initial: Option<&[u8]>| {
        let initial = initial.map(|octets| Secret::new(octets.to_vec()));
        Command::Authenticate(Authenticate {
            mechanism: "PLAIN".to_owned(),
            initial,
        })
    };
    assert_eq!(parsed("AUTHENTICATE plain"), wanted(None));
    assert_eq!(
        parsed("AUTHENTICATE PLAIN AHRlc3QAdGVzdA=="),
        wanted(Some(b"\0test\0test"))
    );
    assert_eq!(parsed("AUTHENTICATE PLAIN ="), wanted(Some(b"")));
    assert!(!refused("AUTHENTICATE PLAIN AHRlc3QAdGVzdA").is_no);
    assert!(!refused("AUTHENTICATE PLAIN *").is_no);
    assert_eq!(sasl_line(b"*"), SaslLine::Cancel);
    assert_eq!(
        sasl_line(b"Zm9v"),
        SaslLine::Response(Secret::new(b"foo".to_vec()))
    );
    assert_eq!(sasl_line(b""), SaslLine::Response(Secret::new(Vec::new())));
    assert_eq!(sasl_line(b"Zm9"), SaslLine::Malformed);
}

#[test]
fn mailboxes_are_opened_and_named() {
    let select = |mailbox: &str, condstore| Select {
        mailbox: name(mailbox),
        condstore,
        resync: None,
    };
    assert_eq!(parsed("SELECT inbox"), Command::Select(select("INBOX", false)));
    assert_eq!(
        parsed("SELECT INBOX (CONDSTORE)"),
        Command::Select(select("INBOX", true))
    );
    assert_eq!(
        parsed("EXAMINE \"Entw&APw-rfe\""),
        Command::Examine(select("Entwürfe", false))
    );
    let set = |text: &str| super::sequence_set(text.as_bytes());
    for (text, known_uids, matches) in [
        ("", None, None),
        (" 1:3,9", set("1:3,9"), None),
        (" (1,5 2,9)", None, set("1,5").zip(set("2,9"))),
        (" 7 (1 2)", set("7"), set("1").zip(set("2"))),
    ] {
        let Command::Select(select) = parsed(&format!(
            "SELECT INBOX (QRESYNC (67890007 90060115194045000{text}))"
        )) else {
            panic!("no SELECT");
        };
        let resync = select.resync.unwrap();
        assert_eq!(
            (resync.uidvalidity.get(), resync.modseq),
            (67_890_007, 90_060_115_194_045_000)
        );
        assert_eq!(
            (resync.known_uids, resync.matches),
            (known_uids, matches),
            "{text}"
        );
        assert!(select.condstore);
    }
    for wrong in [
        "(1 2",
        "(0 2)",
        "(1)",
        "(1 2 *)",
        "(1 2 (1 *))",
        "(1 2 (1))",
        "(1 2  3)",
        "1 2",
    ] {
        assert!(
            !refused(&format!("SELECT INBOX (QRESYNC {wrong})")).is_no,
            "{wrong}"
        );
    }
    assert!(!refused("SELECT INBOX ()").is_no);
    let create = |mailbox: &str, uses: &[SpecialUse]| {
        Command::Create(Create {
            mailbox: name(mailbox),
            special_use: uses.to_vec(),
        })
    };
    assert_eq!(parsed("CREATE owatagusiam/"), create("owatagusiam", &[]));
    assert_eq!(
        parsed("CREATE a/b (USE (\\drafts \\Sent))"),
        create("a/b", &[SpecialUse::Drafts, SpecialUse::Sent])
    );
    assert_eq!(refused("CREATE a (USE (\\Bogus))").code, Some(Code::UseAttr));
    assert_eq!(parsed("DELETE a/b"), Command::Delete(name("a/b")));
    assert_eq!(
        parsed("RENAME a {3}\r\nb c"),
        Command::Rename(Rename {
            from: name("a"),
            to: name("b c")
        })
    );
    assert_eq!(parsed("SUBSCRIBE a"), Command::Subscribe(name("a")));
    assert_eq!(parsed("UNSUBSCRIBE a"), Command::Unsubscribe(name("a")));
}

#[test]
fn imp_4_names_that_cannot_be_are_no_and_not_bad() {
    for line in [
        "CREATE ../x",
        "CREATE /etc/passwd",
        "RENAME INBOX a/../../b",
        "SELECT \"&AC8-etc\"",
        "DELETE {3}\r\na\nb",
        "SUBSCRIBE \"\"",
        "CREATE /",
        "CREATE a//",
        "APPEND ../x {3}",
        "COPY 1 ..",
        "STATUS #x (MESSAGES)",
    ] {
        let fault = refused(line);
        assert!(
            fault.is_no && fault.code == Some(Code::Cannot),
            "{line}: {fault:?}"
        );
        assert!(fault.tag.is_some());
    }
    assert!(refused(&format!("CREATE {}", "x".repeat(10 * 1024))).is_no);
    assert!(!refused("CREATE {3}\r\na\0b").is_no, "NUL is no CHAR8");
}

#[test]
fn list_is_read_with_its_patterns_and_options() {
    let Command::List(list) = parsed("LIST \"a/\" %") else {
        panic!("LIST")
    };
    assert_eq!(
        list.patterns,
        [crate::pattern::ListPattern::new(b"a/", b"%").expect("a pattern")]
    );
    assert!(!list.extended && list.select == ListSelect::default() && list.returns == ListReturn::default());
    let Command::List(list) = parsed("LIST \"\" \"\"") else {
        panic!("LIST")
    };
    assert!(list.patterns[0].asks_separator());
    // RFC 5258 §5, RFC 5819 §3, RFC 6154 §5 (examples)
    let Command::List(list) = parsed(
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" \"Drafts\" \"Sent/%\") RETURN (CHILDREN STATUS (MESSAGES UNSEEN) SPECIAL-USE)",
    ) else {
        panic!("LIST")
    };
    assert!(list.extended && list.select.subscribed && list.select.recursive_match && !list.select.remote);
    assert_eq!(list.patterns.len(), 3);
    assert!(list.returns.children && list.returns.special_use && !list.returns.subscribed);
    assert_eq!(list.returns.status, [StatusItem::Messages, StatusItem::Unseen]);
    for good in [
        "LIST (SUBSCRIBED) \"\" *",
        "LIST () \"\" %",
        "LIST (REMOTE) \"\" \"%\" RETURN (CHILDREN)",
        "LIST \"\" \"%\" RETURN (CHILDREN)",
        "LIST (SPECIAL-USE) \"\" \"*\"",
        "LIST \"\" \"%\" RETURN (SPECIAL-USE)",
        "LIST \"\" \"%\" RETURN ()",
        "LIST (SUBSCRIBED REMOTE) \"\" \"*\"",
        "LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))",
    ] {
        assert!(matches!(parsed(good), Command::List(_)), "{good}");
    }
    for bad in [
        "LIST",
        "LIST \"\"",
        "LIST \"\" ()",
        "LIST (BOGUS) \"\" *",
        "LIST (RECURSIVEMATCH) \"\" *",
        "LIST (RECURSIVEMATCH REMOTE) \"\" *",
        "LIST \"\" * RETURN",
        "LIST \"\" * RETURN (BOGUS)",
        "LIST \"\" * RETURN (STATUS)",
        "LIST \"\" * RETURN (STATUS ())",
        "LIST \"\" * CHILDREN",
        "LIST (SUBSCRIBED)\"\" *",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
    assert!(matches!(
        parsed("LSUB \"#news.\" \"comp.mail.*\""),
        Command::Lsub(_)
    ));
}

#[test]
fn status_enable_id() {
    let items = vec![StatusItem::UidNext, StatusItem::Messages];
    assert_eq!(
        parsed("STATUS blurdybloop (UIDNEXT MESSAGES UIDNEXT)"),
        Command::Status(Status {
            mailbox: name("blurdybloop"),
            items
        })
    );
    let all: Vec<&str> = StatusItem::ALL.iter().map(|item| item.name()).collect();
    let Command::Status(status) = parsed(&format!("STATUS a ({})", all.join(" "))) else {
        panic!("STATUS")
    };
    assert_eq!(status.items, StatusItem::ALL);
    assert!(
        !refused("STATUS a ()").is_no && !refused("STATUS a (BOGUS)").is_no && !refused("STATUS a").is_no
    );
    assert_eq!(
        parsed("ENABLE condstore X-GOOD "),
        Command::Enable(vec!["CONDSTORE".into(), "X-GOOD".into()])
    );
    assert!(!refused("ENABLE").is_no);
    assert_eq!(parsed("ID NIL"), Command::Id(None));
    assert_eq!(parsed("ID ()"), Command::Id(Some(Vec::new())));
    let pairs = vec![
        ("name".to_owned(), Some("sodr".to_owned())),
        ("os".to_owned(), None),
    ];
    assert_eq!(
        parsed("ID (\"name\" \"sodr\" \"os\" NIL)"),
        Command::Id(Some(pairs))
    );
    assert!(!refused("ID (\"name\")").is_no);
    assert!(!refused(&format!("ID ({})", ["\"a\" \"b\""; 31].join(" "))).is_no);
    assert!(!refused(&format!("ID (\"a\" \"{}\")", "x".repeat(1025))).is_no);
}

#[test]
fn the_head_of_an_append_says_where_how_and_how_much() {
    let append = |mailbox: &str, (flags, date, binary): (Vec<Flag>, Option<DateTime>, bool)| {
        let begin = Begin {
            flags,
            date,
            catenated: false,
        };
        let octets = Piece::Octets {
            size_bytes: 310,
            binary,
        };
        Command::Append(Append {
            mailbox: name(mailbox),
            pieces: vec![Piece::Begin(begin), octets],
        })
    };
    let flags = vec![Flag::Seen, Flag::Keyword("$Forwarded".to_owned())];
    let moment = DateTime {
        unix_seconds: 761_028_265,
        zone_minutes: -420,
    };
    assert_eq!(
        parsed("APPEND saved-messages (\\Seen $Forwarded) \"11-Feb-1994 21:44:25 -0700\" {310}"),
        append("saved-messages", (flags, Some(moment), false))
    );
    for (text, binary) in [("{310+}", false), ("() ~{310}", true)] {
        assert_eq!(
            parsed(&format!("APPEND saved-messages {text}")),
            append("saved-messages", (Vec::new(), None, binary))
        );
    }
    for bad in [
        "APPEND a",
        "APPEND a (\\Seen)",
        "APPEND a \"x\" {3}",
        "APPEND a (\\Bogus) {3}",
        "APPEND a () () {3}",
        "APPEND a x{3}",
        "APPEND a \"31-Feb-1994 21:44:25 -0700\" {3}",
        "APPEND a \"11-Feb-1994 24:44:25 -0700\" {3}",
        "APPEND a \"11-Feb-1994 21:44:25 0700\" {3}",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

/// Leniency has a name: `quirk_recent_as_flag`, `quirk_trailing_space`, `quirk_8bit_in_quoted`.
#[test]
fn each_quirk_is_tolerated_and_no_more() {
    let Command::Append(append) = parsed("APPEND a (\\Recent \\Seen) {3}") else {
        panic!("APPEND")
    };
    assert!(matches!(&append.pieces[0], Piece::Begin(begin) if begin.flags == [Flag::Seen]));
    let Command::Store(store) = parsed("STORE 1 FLAGS (\\recent)") else {
        panic!("STORE")
    };
    assert!(store.flags.is_empty());
    assert_eq!(parsed("NOOP "), Command::Noop);
    assert!(!refused("NOOP  ").is_no, "one space, not two");
    assert_eq!(parsed("SEARCH SUBJECT \"ä\" "), parsed("SEARCH SUBJECT {2}\r\nä"));
    assert!(!refused("SEARCH SUBJECT ä").is_no, "only in quotes");
}

#[test]
fn search_keys_are_read_as_the_grammar_has_them() {
    let keys = |line: &str| match parsed(line) {
        Command::Search(search) => search.keys,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        keys("SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\""),
        [
            SearchKey::Has(Flag::Flagged),
            SearchKey::Since(day(1994, 2, 1)),
            SearchKey::Not(Box::new(SearchKey::Header("From".to_owned(), "Smith".to_owned()))),
        ]
    );
    assert_eq!(
        keys("SEARCH CHARSET UTF-8 TEXT {6}\r\nпри"),
        [SearchKey::Text("при".to_owned())]
    );
    assert_eq!(keys("SEARCH charset us-ascii ALL"), [SearchKey::All]);
    for (line, wanted) in [
        ("ALL", SearchKey::All),
        ("ANSWERED", SearchKey::Has(Flag::Answered)),
        ("UNDRAFT", SearchKey::HasNot(Flag::Draft)),
        ("KEYWORD $Junk", SearchKey::Has(Flag::Keyword("$Junk".to_owned()))),
        ("UNKEYWORD x", SearchKey::HasNot(Flag::Keyword("x".to_owned()))),
        ("NEW", SearchKey::New),
        ("OLD", SearchKey::Old),
        ("RECENT", SearchKey::Recent),
        ("BCC a", SearchKey::Header("Bcc".to_owned(), "a".to_owned())),
        (
            "HEADER X-Spam \"\"",
            SearchKey::Header("X-Spam".to_owned(), String::new()),
        ),
        ("BODY b", SearchKey::Body("b".to_owned())),
        ("BEFORE \"01-Feb-1994\"", SearchKey::Before(day(1994, 2, 1))),
        ("ON 1-feb-1994", SearchKey::On(day(1994, 2, 1))),
        ("SENTBEFORE 1-Feb-1994", SearchKey::SentBefore(day(1994, 2, 1))),
        ("SENTON 1-Feb-1994", SearchKey::SentOn(day(1994, 2, 1))),
        ("SENTSINCE 1-Feb-1994", SearchKey::SentSince(day(1994, 2, 1))),
        ("SAVEDBEFORE 1-Feb-1994", SearchKey::SavedBefore(day(1994, 2, 1))),
        ("SAVEDON 1-Feb-1994", SearchKey::SavedOn(day(1994, 2, 1))),
        ("SAVEDSINCE 1-Feb-1994", SearchKey::SavedSince(day(1994, 2, 1))),
        ("SAVEDATESUPPORTED", SearchKey::SaveDateSupported),
        ("$", SearchKey::Sequence(SequenceSet::saved())),
        ("UID $", SearchKey::Uid(SequenceSet::saved())),
        ("LARGER 0", SearchKey::Larger(0)),
        ("SMALLER 5000000000", SearchKey::Smaller(5_000_000_000)),
        ("OLDER 60", SearchKey::Older(NonZeroU32::new(60).expect("not 0"))),
        (
            "YOUNGER 60",
            SearchKey::Younger(NonZeroU32::new(60).expect("not 0")),
        ),
        ("2:4", SearchKey::Sequence(set("2:4"))),
        ("*", SearchKey::Sequence(set("*"))),
        ("UID 443:557", SearchKey::Uid(set("443:557"))),
        ("MODSEQ 620162338", SearchKey::ModSeq(620_162_338)),
        (
            "MODSEQ \"/flags/\\\\draft\" all 620162338",
            SearchKey::ModSeq(620_162_338),
        ),
        (
            "EMAILID M6d99ac3275bb4e",
            SearchKey::EmailId("M6d99ac3275bb4e".to_owned()),
        ),
        (
            "(SEEN DELETED)",
            SearchKey::And(vec![SearchKey::Has(Flag::Seen), SearchKey::Has(Flag::Deleted)]),
        ),
        (
            "OR SEEN (NEW)",
            SearchKey::Or(
                Box::new(SearchKey::Has(Flag::Seen)),
                Box::new(SearchKey::And(vec![SearchKey::New])),
            ),
        ),
    ] {
        assert_eq!(keys(&format!("SEARCH {line}")), [wanted], "{line}");
    }
    let Command::Search(search) = parsed("UID SEARCH 1:* NOT (SEEN MODSEQ 1)") else {
        panic!("SEARCH")
    };
    assert!(search.uses_modseq() && search.numbers == Numbers::Uid);
    assert_eq!(
        refused("SEARCH CHARSET klingon TEXT x").code,
        Some(Code::BadCharset)
    );
    for bad in [
        "SEARCH",
        "SEARCH ()",
        "SEARCH BOGUS",
        "SEARCH NOT",
        "SEARCH OR SEEN",
        "SEARCH ON 30-Feb-2024",
        "SEARCH ON 1-Foo-2024",
        "SEARCH LARGER x",
        "SEARCH OLDER 0",
        "SEARCH UID 0",
        "SEARCH TEXT {2}\r\n\u{80}x",
        "SEARCH HEADER \"a:b\" x",
        "SEARCH MODSEQ \"/x/\" all 1",
        "SEARCH CHARSET UTF-8",
        "SEARCH CHARSET KOI8-R CHARSET UTF-8 ALL",
        "SEARCH SAVEDON x",
        "SEARCH $,1",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
    let not_utf8 = request(b"a SEARCH TEXT {2}\r\n\xff\xfe\r\n").expect_err("not UTF-8");
    assert!(!not_utf8.is_no);
}

#[test]
fn texts_are_read_in_their_charset() {
    for octets in [
        &b"a SEARCH CHARSET KOI8-R SUBJECT {3}\r\n\xd0\xd2\xc9\r\n"[..],
        b"a SEARCH CHARSET \"koi8-r\" SUBJECT \"\xd0\xd2\xc9\"\r\n",
        "a SEARCH RETURN () CHARSET UTF-8 SUBJECT \"при\"\r\n".as_bytes(),
        "a SEARCH SUBJECT \"при\"\r\n".as_bytes(),
    ] {
        let Ok(Command::Search(search)) = request(octets).map(|request| request.command) else {
            panic!("{}", octets.escape_ascii())
        };
        let wanted = SearchKey::Header("Subject".to_owned(), "при".to_owned());
        assert_eq!(search.keys, [wanted]);
    }
}

#[test]
fn results_are_asked_for() {
    let place = |place| NonZeroU32::new(place).expect("not 0");
    let nothing = Returns::default();
    for (options, wanted) in [
        ("", Returns::ALL),
        ("ALL", Returns::ALL),
        ("min", Returns { min: true, ..nothing }),
        (
            "MAX COUNT SAVE",
            Returns {
                max: true,
                count: true,
                save: true,
                ..nothing
            },
        ),
        (
            "PARTIAL 500:1",
            Returns {
                partial: Some(PartialRange::new(false, place(1), place(500))),
                ..nothing
            },
        ),
        (
            "UPDATE CONTEXT",
            Returns {
                update: true,
                context: true,
                ..nothing
            },
        ),
        (
            "UPDATE(UID) COUNT",
            Returns {
                update: true,
                count: true,
                ..nothing
            },
        ),
        (
            "COUNT PARTIAL -1:-100",
            Returns {
                count: true,
                partial: Some(PartialRange::new(true, place(1), place(100))),
                ..nothing
            },
        ),
    ] {
        for (line, numbers) in [("SEARCH", Numbers::Sequence), ("UID SEARCH", Numbers::Uid)] {
            let Command::Search(search) = parsed(&format!("{line} RETURN ({options}) 1:3")) else {
                panic!("SEARCH")
            };
            assert_eq!(
                (search.returns, search.numbers),
                (Some(wanted), numbers),
                "{options}"
            );
        }
        let Command::Sort(sort) = parsed(&format!("SORT RETURN ({options}) (SIZE) UTF-8 ALL")) else {
            panic!("SORT")
        };
        assert_eq!(sort.returns, Some(wanted), "{options}");
    }
    assert!(
        !Returns {
            save: true,
            ..nothing
        }
        .wants_answer()
            && Returns::ALL.wants_answer()
    );
    let Command::Search(search) = parsed("SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[])) ALL") else {
        panic!("SEARCH")
    };
    assert_eq!(search.update_items.len(), 2);
    let tags = ["B01", "B02"].map(|tag| Tag::new(tag.as_bytes()).expect("a tag"));
    assert_eq!(
        parsed("CANCELUPDATE \"B01\" \"B02\""),
        Command::CancelUpdate(tags.to_vec())
    );
    for bad in [
        "SEARCH RETURN ALL",
        "SEARCH RETURN (MIN)",
        "SEARCH RETURN (MIDDLE) ALL",
        "SEARCH RETURN (ALL PARTIAL 1:2) ALL",
        "SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
        "SEARCH RETURN (UPDATE ()) ALL",
        "SEARCH RETURN (UPDATE (NOTHING)) ALL",
        "SEARCH RETURN (UPDATE UID) ALL",
        "CANCELUPDATE",
        "CANCELUPDATE \"a+\"",
        "SEARCH RETURN (PARTIAL 0:1) ALL",
        "SEARCH RETURN (PARTIAL 1) ALL",
        "SEARCH RETURN (PARTIAL -1:2) ALL",
        "SEARCH RETURN (PARTIAL 1:-2) ALL",
        "SEARCH RETURN (PARTIAL 1:*) ALL",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

#[test]
fn sorts_and_threads() {
    let by = |key, reverse| SortCriterion { reverse, key };
    let Command::Sort(sort) = parsed(
        "UID SORT (SUBJECT REVERSE DATE ARRIVAL Cc DISPLAYFROM REVERSE DISPLAYTO FROM SIZE TO) UTF-8 SINCE 1-Feb-1994 SEEN",
    ) else {
        panic!("SORT")
    };
    assert_eq!(
        sort.criteria,
        [
            by(SortKey::Subject, false),
            by(SortKey::Date, true),
            by(SortKey::Arrival, false),
            by(SortKey::Cc, false),
            by(SortKey::DisplayFrom, false),
            by(SortKey::DisplayTo, true),
            by(SortKey::From, false),
            by(SortKey::Size, false),
            by(SortKey::To, false),
        ]
    );
    assert_eq!((sort.search.keys.len(), sort.search.numbers), (2, Numbers::Uid));
    for (name, algorithm) in [
        ("orderedsubject", ThreadAlgorithm::OrderedSubject),
        ("REFERENCES", ThreadAlgorithm::References),
    ] {
        let Command::Thread(thread) = parsed(&format!("THREAD {name} US-ASCII TEXT gewp")) else {
            panic!("THREAD")
        };
        assert_eq!(thread.algorithm, algorithm);
        assert_eq!(thread.search.keys, [SearchKey::Text("gewp".to_owned())]);
    }
    for no in ["SORT (SIZE) klingon ALL", "THREAD REFERENCES klingon ALL"] {
        assert_eq!(refused(no).code, Some(Code::BadCharset), "{no}");
    }
    let many = format!("SORT ({}) UTF-8 ALL", vec!["SIZE"; 33].join(" "));
    for bad in [
        "SORT",
        "SORT () UTF-8 ALL",
        "SORT SIZE UTF-8 ALL",
        "SORT (SIZE REVERSE) UTF-8 ALL",
        "SORT (REVERSE REVERSE SIZE) UTF-8 ALL",
        "SORT (COLOUR) UTF-8 ALL",
        "SORT (SIZE) UTF-8",
        "SORT (SIZE) ALL",
        "THREAD REFERENCES UTF-8",
        "THREAD REFS UTF-8 ALL",
        "THREAD UTF-8 ALL",
        &many,
    ] {
        let fault = refused(bad);
        assert!(!fault.is_no || fault.code == Some(Code::BadCharset), "{bad}");
    }
}

#[test]
fn searches_in_several_mailboxes() {
    let names = |all: &[&str]| all.iter().map(|text| name(text)).collect::<Vec<_>>();
    for (line, sources) in [
        ("ESEARCH ALL", vec![Source::Selected]),
        (
            "ESEARCH IN (selected inboxes PERSONAL subscribed) ALL",
            vec![
                Source::Selected,
                Source::Inboxes,
                Source::Personal,
                Source::Subscribed,
            ],
        ),
        (
            "ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\") UNSEEN",
            vec![
                Source::Mailboxes(names(&["folder1"])),
                Source::Subtree(names(&["folder2"])),
            ],
        ),
        (
            "ESEARCH IN (mailboxes (a b/c) subtree-one INBOX) RETURN (COUNT) CHARSET UTF-8 TEXT x",
            vec![
                Source::Mailboxes(names(&["a", "b/c"])),
                Source::SubtreeOne(names(&["INBOX"])),
            ],
        ),
        (
            "ESEARCH IN (selected) RETURN (SAVE) $ 1:3",
            vec![Source::Selected],
        ),
    ] {
        let Command::MultiSearch(asked) = parsed(line) else {
            panic!("ESEARCH")
        };
        assert_eq!(asked.sources, sources, "{line}");
        assert!(asked.search.returns.is_some() && asked.search.numbers == Numbers::Uid);
    }
    let many = format!("ESEARCH IN (mailboxes ({})) ALL", vec!["a"; 201].join(" "));
    for bad in [
        "ESEARCH",
        "ESEARCH IN () ALL",
        "ESEARCH IN personal ALL",
        "ESEARCH IN (selected-delayed) ALL",
        "ESEARCH IN (mailboxes) ALL",
        "ESEARCH IN (mailboxes ()) ALL",
        "ESEARCH IN (personal)",
        "ESEARCH IN (personal (x)) ALL",
        "ESEARCH IN (personal) RETURN (SAVE) ALL",
        "ESEARCH IN (personal) NOT 1",
        "ESEARCH IN (personal) OR SEEN (UID $)",
        "UID ESEARCH ALL",
        &many,
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

fn section(part: &[u32], text: SectionText) -> Section {
    Section {
        part: part
            .iter()
            .map(|&number| NonZeroU32::new(number).expect("not 0"))
            .collect(),
        text,
    }
}

#[test]
fn fetch_items_are_read_as_the_grammar_has_them() {
    let items = |line: &str| match parsed(line) {
        Command::Fetch(fetch) => fetch.items,
        other => panic!("{other:?}"),
    };
    let one = |peek, section, partial| {
        FetchItem::Section(FetchSection {
            peek,
            section,
            partial,
        })
    };
    use FetchItem::{
        Body, BodyStructure, EmailId, Envelope, Flags, InternalDate, ModSeq, Rfc822Size, ThreadId, Uid,
    };
    assert_eq!(items("FETCH 1 FAST"), [Flags, InternalDate, Rfc822Size]);
    assert_eq!(items("FETCH 1 ALL"), [Flags, InternalDate, Rfc822Size, Envelope]);
    assert_eq!(
        items("FETCH 1 FULL"),
        [Flags, InternalDate, Rfc822Size, Envelope, Body]
    );
    assert_eq!(
        items("FETCH 1 (UID BODYSTRUCTURE MODSEQ EMAILID THREADID)"),
        [Uid, BodyStructure, ModSeq, EmailId, ThreadId]
    );
    assert_eq!(items("FETCH 1 (RFC822 RFC822.HEADER rfc822.text BODY)").len(), 4);
    let partial = Partial {
        offset: 0,
        length: NonZeroU32::new(2048).expect("not 0"),
    };
    let fields = vec!["DATE".to_owned(), "From".to_owned()];
    for (line, wanted) in [
        ("BODY[]", one(false, section(&[], SectionText::All), None)),
        (
            "body.peek[]<0.2048>",
            one(true, section(&[], SectionText::All), Some(partial)),
        ),
        ("BODY[TEXT]", one(false, section(&[], SectionText::Text), None)),
        ("BODY[1.2]", one(false, section(&[1, 2], SectionText::All), None)),
        (
            "BODY[4.2.2.1]",
            one(false, section(&[4, 2, 2, 1], SectionText::All), None),
        ),
        ("BODY[3.mime]", one(false, section(&[3], SectionText::Mime), None)),
        (
            "BODY[3.HEADER]",
            one(false, section(&[3], SectionText::Header), None),
        ),
        (
            "BODY[HEADER.FIELDS (DATE \"From\")]",
            one(
                false,
                section(&[], SectionText::HeaderFields(fields.clone())),
                None,
            ),
        ),
        (
            "BODY.PEEK[2.HEADER.FIELDS.NOT (DATE From)]",
            one(true, section(&[2], SectionText::HeaderFieldsNot(fields)), None),
        ),
    ] {
        assert_eq!(
            items(&format!("FETCH 1 {line}")),
            std::slice::from_ref(&wanted),
            "{line}"
        );
        assert_eq!(
            items(&format!("FETCH 1 (FLAGS {line})")),
            [Flags, wanted],
            "{line}"
        );
    }
    let Command::Fetch(fetch) = parsed("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)") else {
        panic!("FETCH")
    };
    assert_eq!(
        (fetch.changed_since, fetch.numbers, fetch.sets_seen()),
        (Some(12345), Numbers::Uid, false)
    );
    for (line, seen) in [
        ("RFC822", true),
        ("RFC822.TEXT", true),
        ("RFC822.HEADER", false),
        ("BODY[]", true),
        ("BODY.PEEK[]", false),
        ("BODY", false),
        ("BINARY[1]", true),
        ("BINARY.PEEK[1]<0.5>", false),
        ("BINARY.SIZE[1.2]", false),
        ("PREVIEW", false),
        ("PREVIEW (LAZY)", false),
        ("PREVIEW (CHANGEDSINCE 5)", false),
        ("SAVEDATE", false),
    ] {
        let Command::Fetch(fetch) = parsed(&format!("FETCH 1 {line}")) else {
            panic!("FETCH")
        };
        assert_eq!(fetch.sets_seen(), seen, "{line}");
    }
    for bad in [
        "FETCH",
        "FETCH 1",
        "FETCH 1 ()",
        "FETCH 1 (ALL)",
        "FETCH 0 FLAGS",
        "FETCH 1, FLAGS",
        "FETCH 1:2:3 FLAGS",
        "FETCH 4294967296 FLAGS",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BINARY[1.MIME]",
        "FETCH 1 BINARY[TEXT]",
        "FETCH 1 BINARY.SIZE[1]<0.5>",
        "FETCH 1 (PREVIEW (EAGER))",
        "UID FETCH 1 FLAGS (VANISHED)",
        "FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
        "FETCH 1 FLAGS (PARTIAL 1:5)",
        "UID FETCH 1 FLAGS (PARTIAL 1:-5)",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[1.]",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[]<1>",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[HEADER.FIELDS DATE]",
        "FETCH 1 ENVELOPE[]",
        "FETCH 1 FLAGS (VANISHED)",
        "FETCH 1 FLAGS UID",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

#[test]
fn stores_copies_moves() {
    let store = Store {
        numbers: Numbers::Sequence,
        set: set("2:4"),
        unchanged_since: None,
        action: StoreAction::Add,
        silent: false,
        flags: vec![Flag::Deleted],
    };
    assert_eq!(
        parsed("STORE 2:4 +FLAGS (\\Deleted)"),
        Command::Store(store.clone())
    );
    assert_eq!(
        parsed("STORE 2:4 +flags \\Deleted"),
        Command::Store(store.clone())
    );
    assert_eq!(
        parsed("UID STORE 2:4 (UNCHANGEDSINCE 320162338) -FLAGS.SILENT \\Deleted $Junk"),
        Command::Store(Store {
            numbers: Numbers::Uid,
            unchanged_since: Some(320_162_338),
            action: StoreAction::Remove,
            silent: true,
            flags: vec![Flag::Deleted, Flag::Keyword("$Junk".to_owned())],
            ..store.clone()
        })
    );
    assert_eq!(
        parsed("STORE 2:4 FLAGS ()"),
        Command::Store(Store {
            action: StoreAction::Replace,
            flags: Vec::new(),
            ..store
        })
    );
    let transfer = |numbers| Transfer {
        numbers,
        set: set("2:4"),
        mailbox: name("MEETING"),
    };
    assert_eq!(
        parsed("COPY 2:4 MEETING"),
        Command::Copy(transfer(Numbers::Sequence))
    );
    assert_eq!(
        parsed("UID COPY 2:4 MEETING"),
        Command::Copy(transfer(Numbers::Uid))
    );
    assert_eq!(
        parsed("MOVE 2:4 MEETING"),
        Command::Move(transfer(Numbers::Sequence))
    );
    assert_eq!(
        parsed("UID MOVE 2:4 MEETING"),
        Command::Move(transfer(Numbers::Uid))
    );
    assert_eq!(
        parsed("UID EXPUNGE 3000:3002"),
        Command::UidExpunge(set("3000:3002"))
    );
    for bad in [
        "STORE 1 FLAGS",
        "STORE 1 ++FLAGS x",
        "STORE 1 LABELS x",
        "STORE 1 FLAGS (\\Bogus)",
        "STORE 1 FLAGS \\*",
        "UID",
        "UID NOOP",
        "UID EXPUNGE",
        "COPY 1",
    ] {
        assert!(!refused(bad).is_no, "{bad}");
    }
}

#[test]
fn imp_3_nesting_and_lists_are_bounded() {
    let deep = |open: &str, levels: usize, close: &str| {
        format!("SEARCH {}ALL{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, close) in [("(", ")"), ("NOT ", ""), ("OR ALL ", "")] {
        assert!(matches!(parsed(&deep(open, 49, close)), Command::Search(_)));
        for levels in [50, 1_000, 15_000] {
            assert_eq!(
                refused(&deep(open, levels, close)).text,
                "The command is nested too deeply"
            );
        }
    }
    assert!(!refused(&"(".repeat(60_000)).is_no);
    let ranges = |count: usize| format!("UID FETCH {} FLAGS", vec!["1:2"; count].join(","));
    assert!(matches!(parsed(&ranges(4_900)), Command::Fetch(_)));
    assert_eq!(refused(&ranges(1_000_000)).text, "The command has too many parts");
    assert!(!refused(&format!("SEARCH {}", vec!["SEEN"; 20_000].join(" "))).is_no);
    assert!(!refused(&format!("STORE 1 FLAGS ({})", vec!["x"; 20_000].join(" "))).is_no);
    let section = format!("FETCH 1 BODY[{}]", vec!["1"; 51].join("."));
    assert_eq!(refused(&section).text, "A section is nested too deeply");
    let fields = format!("FETCH 1 BODY[HEADER.FIELDS ({})]", vec!["a"; 201].join(" "));
    assert_eq!(refused(&fields).text, "Too many header fields");
    let items = format!("FETCH 1 ({})", vec!["BODY[]"; 501].join(" "));
    assert_eq!(refused(&items).text, "Too many FETCH items");
    let binaries = |count: usize| {
        let items: Vec<String> = (0..count).map(|at| format!("BINARY.PEEK[1]<{at}.9>")).collect();
        format!("FETCH 1 ({} {})", items.join(" "), items.join(" "))
    };
    assert!(matches!(parsed(&binaries(16)), Command::Fetch(_)));
    assert_eq!(
        refused(&binaries(17)).text,
        "Too many BINARY items; ask for at most 16 in one FETCH"
    );
    let Command::Fetch(fetch) = parsed("FETCH 1 (UID BODY[] uid BODY[])") else {
        panic!("FETCH")
    };
    assert_eq!(fetch.items.len(), 2);
}

#[test]
fn done_ends_idle() {
    assert!(is_done(b"DONE") && is_done(b"done"));
    assert!(!is_done(b"DONE ") && !is_done(b"") && !is_done(b"A1 NOOP"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn anything_is_answered(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(&line);
        let _ = sasl_line(&line);
    }

    #[test]
    fn near_commands_are_answered(words in proptest::collection::vec(prop_oneof![
        Just("SEARCH"), Just("FETCH"), Just("UID"), Just("LIST"), Just("APPEND"), Just("("), Just(")"), Just("\"a\""), Just("{1}\r\nx"), Just("1:*,5"),
        Just("BODY[1.HEADER.FIELDS (a)]<0.5>"), Just("RETURN"), Just("NOT"), Just("OR"), Just("\\Seen"), Just("+FLAGS"), Just("~{3}"), Just("1-Feb-1994"),
    ], 0..12)) {
        let _ = request(format!("a {}\r\n", words.join(" ")).as_bytes());
    }

    #[test]
    fn strings_mean_the_same_however_written(text in "[ -~]{0,30}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let one = parsed(&format!("SEARCH TEXT \"{quoted}\""));
        prop_assert_eq!(one, parsed(&format!("SEARCH TEXT {{{}}}\r\n{text}", text.len())));
    }
}
