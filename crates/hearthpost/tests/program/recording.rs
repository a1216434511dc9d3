//! The recording that the power-cut campaign rests on: what the model of the disk holds at the end of a run is what the real
//! disk holds, byte for byte.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::disk::{NameRule, Op};
use testkit::powercut::{Recording, snapshot, strace};
use testkit::talk::Talk;

#[test]
fn the_recorded_run_ends_where_the_real_disk_does() {
    if !Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|done| done.status.success())
    {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, trace) = (place.path().join("demo"), place.path().join("trace"));
    let mut words = strace(&trace).into_iter();
    let mut child = Command::new(words.next().expect("the tool's name"))
        .args(words)
        .arg(env!("CARGO_BIN_EXE_hearthpost"))
        .args(["demo", "--json", "--dir"])
        .arg(&dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("asked for"))
        .read_line(&mut line)
        .expect("the demo's line");
    let Ok(json) = serde_json::from_str::<serde_json::Value>(&line) else {
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        eprintln!("skipped: strace may not trace here");
        return;
    };
    let port = u16::try_from(json["smtp"].as_u64().expect("a port")).expect("a port");
    let mut talk = Talk::connect(port);
    talk.reply();
    talk.ask("EHLO client.example");
    for number in 0..20 {
        talk.ask("MAIL FROM:<a@client.example>");
        talk.ask(&format!(
            "RCPT TO:<{}>",
            json["users"][number % 2]["address"].as_str().expect("an address")
        ));
        assert!(talk.ask("DATA").starts_with("354"));
        // From small ones in the database to large ones in files.
        let body = "x".repeat(70).to_owned() + "\r\n";
        talk.say(format!(
            "Subject: {number}\r\n\r\n{}",
            body.repeat(1 << (number / 2))
        ));
        assert!(talk.ask(".").starts_with("250 "));
    }
    assert!(talk.ask("QUIT").starts_with("221"));
    let stopped = Command::new("kill")
        .args(["-TERM", &json["pid"].to_string()])
        .status();
    assert!(stopped.expect("kill runs").success());
    assert!(child.wait().expect("it ends").success());

    let recording = Recording::read(&trace, &dir, Default::default(), NameRule::WithDirectory)
        .expect("the trace is understood");
    let model = recording.disk(recording.ops().len()).now();
    let real = snapshot(&dir).expect("the directory can be read");
    let same = |path: &Path| model.get(path) == real.get(path);
    let different: Vec<_> = real
        .keys()
        .chain(model.keys())
        .filter(|path| !same(path))
        .collect();
    // SQLite's shared memory is written through a map; the reserve is only space.
    let known = |path: &Path| path.to_string_lossy().ends_with("-shm") || path.ends_with("reserve");
    assert!(different.iter().all(|path| known(path)), "{different:?}");
    assert!(
        real.keys().any(|path| path.ends_with("mail.db")),
        "{:?}",
        real.keys()
    );
    let told = recording
        .ops()
        .iter()
        .filter(|op| matches!(op, Op::Sent { bytes } if bytes.starts_with(b"250 2.0.0")));
    assert_eq!(told.count(), 20, "every acknowledgement was seen");
}
