//! SORT, ESORT and THREAD on the wire (RFC 5256, RFC 5267, RFC 5957).

use super::support::{Client, World};

const MAILS: [&str; 6] = [
    "From: Zoe <b@x.test>\r\nSubject: lunch\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nx\r\n",
    "From: a@x.test\r\nSubject: Re: lunch\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\nlonger than others, by far\r\n",
    "From: Anna <c@x.test>\r\nSubject: [list] dinner\r\nDate: Mon, 23 Nov 2026 13:00:00 +0200\r\nMessage-ID: <3@x>\r\n\r\nxx\r\n",
    "From: a@x.test\r\nSubject: Re: lunch\r\nDate: Mon, 23 Nov 2026 11:00:00 +0000\r\nMessage-ID: <4@x>\r\nIn-Reply-To: <1@x>\r\n\r\nxxx\r\n",
    "From: d@x.test\r\nSubject: RE: Dinner (fwd)\r\nDate: Mon, 23 Nov 2026 15:00:00 +0000\r\nMessage-ID: <5@x>\r\n\r\nxxxx\r\n",
    "From: d@x.test\r\nSubject: else\r\nDate: Mon, 23 Nov 2026 16:00:00 +0000\r\nMessage-ID: <6@x>\r\nReferences: <1@x> <9@x> <2@x>\r\n\r\nxxxxx\r\n",
];

async fn six() -> (World, Client) {
    let world = World::new().await;
    for mail in MAILS {
        world.deliver("alice@example.test", mail.as_bytes()).await;
    }
    let client = world.inbox().await;
    (world, client)
}

#[tokio::test]
async fn messages_are_sorted() {
    let (_world, mut client) = six().await;
    for (command, told) in [
        ("SORT (ARRIVAL) UTF-8 ALL", "1 2 3 4 5 6"),
        ("SORT (REVERSE ARRIVAL) UTF-8 ALL", "1 2 3 4 5 6"),
        ("SORT (DATE) UTF-8 ALL", "1 3 4 2 5 6"),
        ("SORT (REVERSE DATE) US-ASCII 1:3", "2 3 1"),
        ("SORT (SUBJECT DATE) UTF-8 ALL", "3 5 6 1 4 2"),
        ("SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "5 3 6 2 4 1"),
        ("SORT (FROM REVERSE SIZE) UTF-8 ALL", "2 4 1 3 6 5"),
        ("SORT (DISPLAYFROM) UTF-8 ALL", "2 4 3 5 6 1"),
        ("SORT (DISPLAYTO REVERSE DISPLAYFROM) UTF-8 ALL", "1 5 6 3 2 4"),
        ("SORT (SIZE) UTF-8 SUBJECT lunch", "1 4 2"),
        ("UID SORT (REVERSE DATE) UTF-8 SUBJECT dinner", "5 3"),
        ("SORT (CC TO) UTF-8 SUBJECT absent", ""),
    ] {
        let lines = client.ok(command).await;
        assert_eq!(
            lines[0].trim_end(),
            format!("* SORT {told}").trim_end(),
            "{command}"
        );
    }
    let lines = client.ok("SORT (DATE) UTF-8 MODSEQ 1 SUBJECT else").await;
    assert!(
        lines.iter().any(|line| line.starts_with("* SORT 6 (MODSEQ ")),
        "{lines:?}"
    );
    client.refused("SORT (DATE) klingon ALL", "NO [BADCHARSET").await;
    client.refused("SORT (DATE) UTF-8 99", "BAD").await;
}

#[tokio::test]
async fn sorted_results_come_as_asked_for() {
    let (_world, mut client) = six().await;
    for (command, told) in [
        ("SORT RETURN () (REVERSE DATE) UTF-8 ALL", " ALL 6,5,2:4,1"),
        (
            "UID SORT RETURN (ALL COUNT) (SUBJECT) UTF-8 SUBJECT lunch",
            " UID COUNT 3 ALL 1:2,4",
        ),
        ("SORT RETURN (MIN MAX) (DATE) UTF-8 2:5", " MIN 3 MAX 5"),
        ("SORT RETURN (PARTIAL 2:3) (DATE) UTF-8 ALL", " PARTIAL (2:3 3:4)"),
        (
            "SORT RETURN (PARTIAL -1:-2) (REVERSE DATE) UTF-8 ALL",
            " PARTIAL (-1:-2 4,1)",
        ),
        ("SORT RETURN (COUNT) (DATE) UTF-8 SUBJECT absent", " COUNT 0"),
    ] {
        let lines = client.ok(command).await;
        let (start, rest) = lines[0].split_once(')').unwrap();
        assert!(start.starts_with("* ESEARCH (TAG \"t"), "{lines:?}");
        assert_eq!((rest, lines.len()), (told, 2), "{command}");
    }
    client.ok("SORT RETURN (SAVE MIN) (REVERSE DATE) UTF-8 ALL").await;
    assert_eq!(client.ok("FETCH $ UID").await[0], "* 6 FETCH (UID 6)");
}

#[tokio::test]
async fn messages_are_threaded() {
    let (_world, mut client) = six().await;
    for (command, told) in [
        ("THREAD REFERENCES UTF-8 ALL", "(1 (4)(2 6))(3 5)"),
        ("UID THREAD REFERENCES UTF-8 2:6", "(3 5)((4)(2 6))"),
        ("THREAD ORDEREDSUBJECT UTF-8 ALL", "(1 (4)(2))(3 5)(6)"),
        ("THREAD ORDEREDSUBJECT UTF-8 SUBJECT absent", ""),
    ] {
        let lines = client.ok(command).await;
        assert_eq!(
            lines[0].trim_end(),
            format!("* THREAD {told}").trim_end(),
            "{command}"
        );
    }
    client.refused("THREAD REFS UTF-8 ALL", "BAD").await;
}

/// EXPUNGE is not told while sequence numbers are in use (RFC 3501 §7.4.1).
#[tokio::test]
async fn sequence_numbers_stay_while_sorting() {
    let (world, mut client) = six().await;
    let mut other = world.inbox().await;
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    for command in [
        "SEARCH ALL",
        "SORT (SIZE) UTF-8 2:6",
        "THREAD REFERENCES UTF-8 2:6",
    ] {
        let lines = client.ok(command).await;
        assert!(!lines.iter().any(|line| line.contains("EXPUNGE")), "{lines:?}");
    }
    assert_eq!(client.ok("SORT (DATE) UTF-8 1:6").await[0], "* SORT 3 4 2 5 6");
    let lines = client.ok("UID SORT (DATE) UTF-8 ALL").await;
    assert_eq!(lines[..2], ["* SORT 3 4 2 5 6", "* 1 EXPUNGE"]);
}
