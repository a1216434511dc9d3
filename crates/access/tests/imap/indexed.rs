//! With an index everything is answered as without one.

use super::support::{Client, World};

const ADDRESS: &str = "alice@example.test";

fn message(n: usize) -> Vec<u8> {
    let body = match n % 4 {
        0 => format!("Content-Type: text/html; charset=utf-8\r\n\r\n<p>Gr\u{fc}\u{df}e number{n}</p>\r\n"),
        1 => format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello world{n}\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner{n}\r\n\r\nwithin\r\n--b--\r\n"
        ),
        2 => "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gd29ybGQ=\r\n".to_owned(),
        _ => format!("\r\nhello, {} word{n}\r\n", "long".repeat(60)),
    };
    let date = format!("Mon, {} Nov 2026 23:30:00 -0{}00", 1 + n % 28, n % 9);
    let links = match n % 5 {
        0 => String::new(),
        _ => format!("References: <{}@x>\r\n", n - 1),
    };
    format!(
        "From: \"A, B\" <a{n}@example.test>\r\nTo: x@y.test\r\nSubject: =?utf-8?q?Re:_Caf=C3=A9_{}?=\r\nX-Number: n{n}\r\n\
         Message-ID: <{n}@x>\r\nDate: {date}\r\n{links}{body}",
        n % 13
    )
    .into_bytes()
}

async fn answers(client: &mut Client) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in [
        "FETCH 1:* (UID FLAGS ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE INTERNALDATE)",
        "UID FETCH 20:* (ENVELOPE)",
        "FETCH 2 BODYSTRUCTURE",
        "SEARCH CHARSET UTF-8 SUBJECT {5+}\r\ncaf\u{e9}",
        "SEARCH CHARSET UTF-8 SUBJECT {4+}\r\n\u{e9} 1",
        "SEARCH FROM \"a, b\"",
        "SEARCH FROM a7@",
        "SEARCH CC x",
        "SEARCH HEADER x-number n1",
        "SEARCH HEADER x-number \"\"",
        "SEARCH HEADER x-absent \"\"",
        "SEARCH BODY ello",
        "SEARCH BODY \"ello wor\"",
        "SEARCH BODY inner1",
        "SEARCH CHARSET UTF-8 BODY {7+}\r\ngr\u{fc}\u{df}e",
        "SEARCH BODY longlonglonglonglonglonglonglonglonglong",
        "SEARCH TEXT number NOT TEXT number4",
        "SEARCH TEXT within OR SUBJECT 5 BODY word7",
        "SEARCH BODY \" \"",
        "SEARCH TEXT absent",
        "UID SEARCH 3:30 TEXT a2 UNSEEN",
        "SEARCH LARGER 400",
        "SEARCH SMALLER 400 TEXT ello",
        "SEARCH SENTON 5-Nov-2026",
        "SEARCH SENTSINCE 20-Nov-2026 NOT SUBJECT 5",
        "SEARCH SINCE 1-Jan-2000 BEFORE 1-Jan-2040",
        "SEARCH YOUNGER 10",
        "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
        "SORT (REVERSE FROM CC TO SIZE) UTF-8 TEXT ello",
        "UID SORT (ARRIVAL DISPLAYFROM) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "UID THREAD ORDEREDSUBJECT UTF-8 SUBJECT 1",
    ] {
        let mut lines = client.ok(command).await;
        lines.pop();
        all.push(lines);
    }
    all
}

#[tokio::test]
async fn answers_are_the_same() {
    let world = World::new().await;
    for n in 0..40 {
        world.deliver(ADDRESS, &message(n)).await;
    }
    let mut plain = world.inbox().await;
    let world = world.indexed().await;
    let mut indexed = world.inbox().await;
    let expected = answers(&mut plain).await;
    for (with, without) in answers(&mut indexed).await.into_iter().zip(expected) {
        assert_eq!(with, without);
    }
    // What arrives after the index looked is found all the same.
    world.deliver(ADDRESS, &message(40)).await;
    for client in [&mut plain, &mut indexed] {
        client.ok("NOOP").await;
        assert_eq!(client.ok("SEARCH TEXT number40").await[0], "* SEARCH 41");
        assert_eq!(
            client.ok("SEARCH CHARSET UTF-8 SUBJECT {5+}\r\ncaf\u{e9}").await[0]
                .split(' ')
                .count(),
            2 + 41
        );
    }
    for command in [
        "SORT (REVERSE SUBJECT DATE) UTF-8 ALL",
        "SORT (DISPLAYFROM) UTF-8 3:*",
        "SORT (REVERSE SIZE ARRIVAL) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "THREAD ORDEREDSUBJECT UTF-8 2:*",
    ] {
        let expected = plain.ok(command).await;
        assert_eq!(indexed.ok(command).await[0], expected[0], "{command}");
    }
}

/// RFC 9051 §6.4.4: TEXT looks into the MIME headers of parts, wherever they are kept; BODY and HEADER do not.
#[tokio::test]
async fn text_looks_into_the_headers_of_parts() {
    let world = World::new().await;
    for n in 0..20 {
        let message = format!(
            "Subject: {n}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/pdf; name=\"invoice{n}.pdf\"\r\n\
             Content-Description: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nx\r\n--b--\r\n"
        );
        world.deliver(ADDRESS, message.as_bytes()).await;
    }
    let mut plain = world.inbox().await;
    let world = world.indexed().await;
    let mut indexed = world.inbox().await;
    for (keys, found) in [
        ("TEXT \"invoice7.pdf\"", " 8"),
        (
            "CHARSET UTF-8 TEXT {7+}\r\ngr\u{fc}\u{df}e",
            " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
        ),
        ("TEXT invoice99", ""),
        ("BODY \"invoice7.pdf\"", ""),
        ("HEADER Content-Type invoice7", ""),
        ("NOT TEXT invoice", ""),
    ] {
        for client in [&mut plain, &mut indexed] {
            let lines = client.ok(&format!("SEARCH {keys}")).await;
            assert_eq!(lines[0], format!("* SEARCH{found}"), "{keys}");
        }
    }
}

/// A search in several mailboxes asks the index once for all of them.
#[tokio::test]
async fn answers_for_several_mailboxes_are_the_same() {
    let world = World::new().await;
    for n in 0..40 {
        world.deliver(ADDRESS, &message(n)).await;
    }
    let mut plain = world.inbox().await;
    for (name, set) in [("Even", "2:40"), ("Few", "1:3"), ("Late", "20:40")] {
        plain.ok(&format!("CREATE {name}")).await;
        plain.ok(&format!("COPY {set} {name}")).await;
    }
    let world = world.indexed().await;
    let mut indexed = world.inbox().await;
    for keys in [
        "TEXT ello",
        "OR BODY word7 SUBJECT 5 NOT TEXT number4",
        "FROM a7@ UNSEEN",
        "BODY absent",
    ] {
        let command = format!("ESEARCH IN (personal) {keys}");
        let mut both = Vec::new();
        for client in [&mut plain, &mut indexed] {
            let mut lines = client.ok(&command).await;
            lines.pop();
            let told = |line: &String| line.split_once(" MAILBOX ").map(|(_, told)| told.to_owned());
            both.push(lines.iter().map(told).collect::<Vec<_>>());
        }
        assert_eq!(both[0], both[1], "{keys}");
        assert_eq!(both[0].is_empty(), keys == "BODY absent", "{keys}");
    }
}
