//! Other implementations must agree: dkimpy and opendkim verify what we sign, and we verify what dkimpy signs.
//!
//! Played where `$HEARTHPOST_PYTHON` (or `python3`) has dkimpy, and where opendkim is installed; else a test says aloud that it did not play.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msgauth::desk::Desk;
use msgauth::dkim::sign::{Signing, SigningKey};
use msgauth::dkim::{Rule, Verifying};
use msgauth::limits::{DKIM_KEYS, DKIM_TIME};
use testkit::clock::{START, TokioClock};
use testkit::dns::SimDns;

const RSA: &[u8] = include_bytes!("keys/rsa-2048.pk8");
/// The PKCS#8 wrapping before the RSAPrivateKey, for a key of 2048 bits.
const WRAPPING: usize = 26;

const SCRIPT: &str = r#"
import base64, sys
import dkim
keys = {}
def txt(name, timeout=5):
    return keys.get(name.rstrip(b'.'))
for line in sys.stdin:
    words = line.split()
    data = [base64.b64decode(word) for word in words[1:]]
    if words[0] == 'key':
        keys[data[0]] = data[1]
        continue
    try:
        if words[0] == 'verify':
            signed = dkim.DKIM(data[0], minkey=1024)
            count = int(data[1])
            print(' '.join(str(signed.verify(idx=i, dnsfunc=txt)) for i in range(count)), flush=True)
        else:
            made = dkim.sign(data[0], b'r1', b'there.example', data[1], canonicalize=tuple(data[2].split(b'/')), include_headers=[b'from', b'subject', b'to', b'from'])
            print(base64.b64encode(made).decode(), flush=True)
    except Exception as error:
        print('error', repr(error).replace('\n', ' '), flush=True)
"#;

/// Answers of dkimpy, a line for each line; nothing when it is not there.
fn dkimpy(lines: &[String]) -> Option<Vec<String>> {
    let python = std::env::var("HEARTHPOST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python)
        .args(["-c", "import dkim, nacl"])
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: {python} has no dkimpy with PyNaCl");
        return None;
    }
    let mut child = Command::new(&python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = child.stdin.take().expect("piped");
    let text = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    writer.join().expect("no panic").expect("python reads");
    Some(
        String::from_utf8(output.stdout)
            .expect("text")
            .lines()
            .map(str::to_owned)
            .collect(),
    )
}

fn b64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// Bodies and headers made of what canonicalisation looks at, the same ones every time.
fn samples() -> Vec<String> {
    let pieces = [
        "a", "b c", " ", "\t", "  ", "\r\n", "\r\n\r\n", "x\t \ty", ".", "=20", " \r\n", "\r\n ",
    ];
    let mut state = 12345u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    (0..60)
        .map(|number| {
            let mut body: String = (0..next(14)).map(|_| pieces[next(pieces.len())]).collect();
            // In SMTP a body ends with a line end. Without one, dkimpy keeps white space that ends it.
            if !body.is_empty() && !body.ends_with("\r\n") {
                body.push_str("\r\n");
            }
            format!("From: Ann <ann@there.example>\r\nSubject:  s{number} \t x\r\n\tfolded \r\nTo: b@here.example\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\n{body}")
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn aut_8_dkimpy_and_we_verify_each_other() {
    let rsa = || SigningKey::rsa("there.example", "r1", RSA).expect("a key");
    let keys = [
        rsa(),
        SigningKey::ed25519("there.example", "e1", &[7; 32]).expect("a key"),
    ];
    let mut lines: Vec<String> = keys
        .iter()
        .map(|key| {
            format!(
                "key {} {}",
                b64(key.record_name().as_bytes()),
                b64(key.record().as_bytes())
            )
        })
        .collect();
    for sample in samples() {
        let at = mail::header::body_start(sample.as_bytes());
        let mut signing = Signing::begin(&sample.as_bytes()[..at]);
        signing.body(&sample.as_bytes()[at..]);
        let message = [signing.finish(&keys, START.0 / 1000), sample.into_bytes()].concat();
        lines.push(format!("verify {} {}", b64(&message), b64(b"2")));
    }
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        b64(&RSA[WRAPPING..])
    );
    let mut theirs = Vec::new();
    for canon in [
        "simple/simple",
        "simple/relaxed",
        "relaxed/simple",
        "relaxed/relaxed",
    ] {
        for sample in samples() {
            lines.push(format!(
                "sign {} {} {}",
                b64(sample.as_bytes()),
                b64(pem.as_bytes()),
                b64(canon.as_bytes())
            ));
            theirs.push((canon, sample));
        }
    }
    let Some(answers) = dkimpy(&lines) else { return };
    let (ours, made) = answers.split_at(samples().len());
    for (answer, sample) in ours.iter().zip(samples()) {
        assert_eq!(answer, "True True", "{sample:?}");
    }
    assert_eq!(made.len(), theirs.len());
    let clock = Arc::new(TokioClock::new());
    let zone = format!("{} TXT \"{}\"", rsa().record_name(), rsa().record());
    let dns = SimDns::new(clock.clone(), &zone).expect("a zone");
    for (field, (canon, sample)) in made.iter().zip(theirs) {
        let field = STANDARD.decode(field).unwrap_or_else(|_| panic!("{field}"));
        let message = [field, sample.clone().into_bytes()].concat();
        let at = mail::header::body_start(&message);
        let mut verifying = Verifying::begin(&message[..at], None);
        message[at..].chunks(3).for_each(|piece| verifying.body(piece));
        let mut desk = Desk::new(&dns, &*clock, DKIM_KEYS, DKIM_TIME);
        // dkimpy dates its signatures by the real clock; ours does not look at t=.
        let report = verifying.finish(&mut desk, START.0 / 1000).await;
        assert_eq!(report.signatures[0].rule, Rule::Good, "{canon} {sample:?}");
    }
}

#[test]
fn aut_8_opendkim_verifies_what_we_sign() {
    const OPENDKIM: &str = "/usr/sbin/opendkim";
    if !std::path::Path::new(OPENDKIM).exists() {
        eprintln!("SKIPPED: {OPENDKIM} is absent");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = SigningKey::rsa("there.example", "r1", RSA).expect("a key");
    let keys = dir.path().join("keys");
    std::fs::write(&keys, format!("{} {}\n", key.record_name(), key.record())).expect("written");
    let settings = dir.path().join("opendkim.conf");
    let text = format!("TestPublicKeys {}\nMode v\nSyslog no\n", keys.display());
    std::fs::write(&settings, text).expect("written");
    let mut files = Vec::new();
    for (number, sample) in samples().into_iter().enumerate() {
        let at = mail::header::body_start(sample.as_bytes());
        let mut signing = Signing::begin(&sample.as_bytes()[..at]);
        signing.body(&sample.as_bytes()[at..]);
        let message = [signing.finish([&key], START.0 / 1000), sample.into_bytes()].concat();
        let file = dir.path().join(format!("{number}.eml"));
        std::fs::write(&file, message).expect("written");
        files.push(file.display().to_string());
    }
    let played = Command::new(OPENDKIM)
        .arg("-x")
        .arg(&settings)
        .arg("-v")
        .arg("-t")
        .arg(files.join(","))
        .output();
    let played = played.expect("opendkim runs");
    let told =
        String::from_utf8_lossy(&played.stdout).into_owned() + &String::from_utf8_lossy(&played.stderr);
    assert_eq!(
        told.matches("2048-bit key) succeeded").count(),
        files.len(),
        "{told}"
    );
}
