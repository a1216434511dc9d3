//! What known mail programs say, and what they are answered: a dialogue for each in `clients/`, with what is particular to it above.
//!
//! `C:` is a command without its tag, `\r\n` in it a line end; `S:` is a response, the tagged one without its tag. `…` at an end stands for
//! anything, alone for any number of responses.

use crate::support::{Client, World};

const DIALOGUES: [(&str, &str); 8] = [
    ("outlook", include_str!("clients/outlook.txt")),
    ("apple-mail", include_str!("clients/apple-mail.txt")),
    ("thunderbird", include_str!("clients/thunderbird.txt")),
    ("thunderbird-153", include_str!("clients/thunderbird-153.txt")),
    ("k-9", include_str!("clients/k-9.txt")),
    ("mutt", include_str!("clients/mutt.txt")),
    ("mbsync", include_str!("clients/mbsync.txt")),
    ("offlineimap", include_str!("clients/offlineimap.txt")),
];

#[tokio::test]
async fn known_mail_programs_are_answered_as_they_expect() {
    for (name, dialogue) in DIALOGUES {
        let world = World::new().await;
        for subject in ["one", "two", "three"] {
            let message = format!("Subject: {subject}\r\nFrom: bob@example.test\r\n\r\nbody {subject}\r\n");
            world.deliver("alice@example.test", message.as_bytes()).await;
        }
        let mut client = world.user("alice").await;
        let mut lines = dialogue.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(line) = lines.next() {
            let command = line
                .strip_prefix("C: ")
                .unwrap_or_else(|| panic!("{name}: {line}"));
            let mut wanted = Vec::new();
            while let Some(response) = lines.next_if(|line| line.starts_with("S: ")) {
                wanted.push(&response[3..]);
            }
            exchange(&mut client, name, command, &wanted).await;
        }
    }
}

async fn exchange(client: &mut Client, name: &str, command: &str, wanted: &[&str]) {
    let command = command.replace("\\r\\n", "\r\n");
    let got = client.run(&command).await;
    let mut rest = got.iter().peekable();
    for (at, pattern) in wanted.iter().enumerate() {
        if *pattern == "…" {
            let next = wanted.get(at + 1).expect("something after any responses");
            while rest.next_if(|line| !fits(next, line)).is_some() {}
            continue;
        }
        let line = rest.next();
        assert!(
            line.is_some_and(|line| fits(pattern, line)),
            "{name}: {command}: {pattern}: {got:#?}"
        );
    }
    assert_eq!(rest.next(), None, "{name}: {command}: {got:#?}");
}

fn fits(pattern: &str, line: &str) -> bool {
    match pattern.strip_suffix('…') {
        Some(start) => line.starts_with(start),
        None => line == pattern,
    }
}
