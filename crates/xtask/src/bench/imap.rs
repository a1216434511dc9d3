//! IMAP on a large mailbox: we, Dovecot with Maildir and Dovecot with mdbox, one after the other on the same mail.
//!
//! 1. `bench/imap.py` fills a mailbox of each with the same messages (the import is a row);
//! 2. each is stopped and started again as often as there are runs, for the rows that are cold: in memory is what the kernel keeps of
//!    the files, and nothing of the server's;
//! 3. the warm rows, the rows that change something, two hundred mailboxes, and the return of a client that was away.
//!
//! Every command runs once unmeasured before its warm runs, so Dovecot's caches are full. Beside ours stands the better of
//! Dovecot's two.

use super::Options;
use super::lab::{Lab, median};
use super::results::{Goal, Results};
use crate::demo::Demo;
use crate::dovecot::{self, Dovecot, Storage};
use crate::process;
use crate::report::{Outcome, pause};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

const PORT: u16 = 2243;
/// Whose mailbox it is with us: a user of the demo.
const USER: &str = "bob@example.test";
/// After the import, before anything else is timed.
const SETTLE: Duration = Duration::from_secs(20);
/// The rows: name in the script, what it is called, our goal.
const ROWS: &[(&str, &str, Aim)] = &[
    (
        "import_per_s",
        "import (APPEND), messages/s",
        Aim::AtLeast(5_000.0),
    ),
    (
        "login_first",
        "LOGIN, the first with a password, ms",
        Aim::AtMost(35.0),
    ),
    ("login_again", "LOGIN again, ms", Aim::AtMost(5.0)),
    ("select_cold", "SELECT after a start, ms", Aim::AtMost(60.0)),
    ("select_warm", "SELECT, ms", Aim::AtMost(2.0)),
    ("fetch_flags", "FETCH 1:* (FLAGS), ms", Aim::AtMost(15.0)),
    (
        "fetch_uid_flags_size",
        "FETCH 1:* (UID FLAGS RFC822.SIZE), ms",
        Aim::AtMost(25.0),
    ),
    (
        "envelope_first",
        "FETCH 1:* (ENVELOPE), the first time, ms",
        Aim::None,
    ),
    ("fetch_envelope", "FETCH 1:* (ENVELOPE), ms", Aim::AtMost(150.0)),
    ("fetch_bodystructure", "FETCH 1:* (BODYSTRUCTURE), ms", Aim::None),
    ("bodies_1000", "FETCH of 1,000 bodies, ms", Aim::AtMost(15.0)),
    ("search_unseen", "SEARCH UNSEEN, ms", Aim::AtMost(2.0)),
    ("search_subject", "SEARCH SUBJECT, ms", Aim::AtMost(10.0)),
    ("search_body", "SEARCH BODY, ms", Aim::AtMost(10.0)),
    ("search_text", "SEARCH TEXT, ms", Aim::AtMost(10.0)),
    ("sort", "SORT (REVERSE DATE), ms", Aim::Share(0.5)),
    ("sort_subject", "SORT (SUBJECT), ms", Aim::Share(0.5)),
    ("thread", "THREAD REFERENCES, ms", Aim::Share(0.5)),
    (
        "store_all",
        "STORE 1:* +FLAGS.SILENT, ms (ours synced, Dovecot's not)",
        Aim::AtMost(100.0),
    ),
    (
        "store_lone_per_s",
        "STORE of one message after the other, per s (ours synced, Dovecot's not)",
        Aim::None,
    ),
    (
        "append_per_s",
        "APPEND one after the other, per s",
        Aim::Times(1.0),
    ),
    (
        "append_ten_per_s",
        "APPEND from ten sessions, per s",
        Aim::Times(5.0),
    ),
    (
        "move_10000",
        "MOVE of 10,000, ms (ours synced, Dovecot's not)",
        Aim::None,
    ),
    ("status_200", "STATUS of 200 mailboxes, ms", Aim::AtMost(3.0)),
    (
        "list_status_200",
        "LIST-STATUS of 200 mailboxes, ms",
        Aim::AtMost(1.0),
    ),
    ("qresync", "SELECT (QRESYNC) after a day, ms", Aim::AtMost(5.0)),
];

/// What a figure should be.
enum Aim {
    AtMost(f64),
    AtLeast(f64),
    /// of Dovecot's figure, at most
    Share(f64),
    /// Dovecot's figure so often, at least
    Times(f64),
    None,
}

/// Values of all runs and what came back, by row.
#[derive(Default)]
struct Measured {
    rows: BTreeMap<String, Vec<f64>>,
    units: BTreeMap<String, u64>,
}

impl Measured {
    fn take(&mut self, said: &Value) {
        for (row, values) in said["rows"].as_object().into_iter().flatten() {
            let values = values.as_array().into_iter().flatten().filter_map(Value::as_f64);
            self.rows.entry(row.clone()).or_default().extend(values);
        }
        for (row, units) in said["units"].as_object().into_iter().flatten() {
            self.units.insert(row.clone(), units.as_u64().unwrap_or(0));
        }
    }

    fn median(&self, row: &str) -> f64 {
        self.rows
            .get(row)
            .map_or(f64::NAN, |values| median(values.clone()))
    }
}

/// A server that can be started again on what it has.
trait Server {
    fn start(&mut self) -> Outcome<()>;
    fn stop(&mut self) -> Outcome<()>;
    /// Port, user, password.
    fn door(&self) -> Outcome<(u16, String, String)>;
}

struct Ours<'l> {
    lab: &'l Lab,
    demo: Option<Demo>,
    starts: usize,
    signs_in: Option<(String, String)>,
}

/// Gives a user of the demo called `name` another password, while it runs.
fn set_password(lab: &Lab, name: &str, address: &str, password: &str) -> Outcome<()> {
    let mut command = lab.inside(&lab.binary);
    command
        .args(["account", "password", address, "--data"])
        .arg(lab.dir(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{password}")?;
    }
    match process::wait(&mut child, Duration::from_secs(20)) {
        Some(status) if status.success() => Ok(()),
        other => Err(format!("the password was not changed: {other:?}").into()),
    }
}

impl<'l> Ours<'l> {
    fn of(lab: &'l Lab) -> Self {
        Self {
            lab,
            demo: None,
            starts: 0,
            signs_in: None,
        }
    }
}

impl Server for Ours<'_> {
    fn start(&mut self) -> Outcome<()> {
        let demo = self.lab.hearthpost("imap", 1)?;
        // The demo has tried its users' passwords itself; the first sign-in is to be one with a password that nobody has tried.
        self.starts += 1;
        let password = format!("a-new-password-{}", self.starts);
        set_password(self.lab, "imap", USER, &password)?;
        self.signs_in = Some((USER.to_owned(), password));
        self.demo = Some(demo);
        Ok(())
    }

    fn stop(&mut self) -> Outcome<()> {
        self.demo.take().map_or(Ok(()), |demo| demo.stop().map(drop))
    }

    fn door(&self) -> Outcome<(u16, String, String)> {
        let demo = self.demo.as_ref().ok_or("not started")?;
        let (user, password) = self.signs_in.clone().ok_or("not started")?;
        Ok((demo.port("imap")?, user, password))
    }
}

struct Theirs<'l> {
    lab: &'l Lab,
    storage: Storage,
    running: Option<Dovecot>,
}

impl Server for Theirs<'_> {
    fn start(&mut self) -> Outcome<()> {
        let dir = self.lab.dir(self.storage.word());
        std::fs::create_dir_all(&dir)?;
        let place = |program: &std::path::Path| self.lab.inside_group("peer", program);
        self.running = Some(Dovecot::start(&dir, self.storage, PORT, &place)?);
        Ok(())
    }

    fn stop(&mut self) -> Outcome<()> {
        self.running = None;
        Ok(())
    }

    fn door(&self) -> Outcome<(u16, String, String)> {
        Ok((PORT, dovecot::USER.to_owned(), dovecot::PASSWORD.to_owned()))
    }
}

/// All rows.
pub fn compare(lab: &Lab, options: &Options, results: &mut Results) -> Outcome<()> {
    let ours = measure(lab, options, &mut Ours::of(lab))?;
    let mut peers = Vec::new();
    for storage in [Storage::Maildir, Storage::Mdbox] {
        let mut peer = Theirs {
            lab,
            storage,
            running: None,
        };
        peers.push(measure(lab, options, &mut peer)?);
    }
    results.remark(format!(
        "One mailbox of {} messages of 4 KB; the goals are for 50,000.",
        options.mailbox
    ));
    for (row, name, aim) in ROWS {
        let better = |one: f64, other: f64| {
            if row.ends_with("per_s") {
                one.max(other)
            } else {
                one.min(other)
            }
        };
        let theirs = peers.iter().map(|peer| peer.median(row)).fold(f64::NAN, better);
        let value = ours.median(row);
        if value.is_nan() {
            results.remark(format!("{name}: not offered yet."));
            continue;
        }
        let goal = match *aim {
            Aim::AtMost(limit) => Some(Goal::at_most(limit, format!("≤ {limit} ms"))),
            Aim::AtLeast(limit) => Some(Goal::at_least(limit, format!("≥ {limit}"))),
            Aim::Share(share) => Some(Goal::at_most(share * theirs, format!("≤ {share} × Dovecot"))),
            Aim::Times(times) => Some(Goal::at_least(times * theirs, format!("≥ {times} × Dovecot"))),
            Aim::None => None,
        };
        let shown = peers.iter().map(|peer| format!("{:.1}", peer.median(row)));
        let name = format!(
            "{name} (Maildir, mdbox: {})",
            shown.collect::<Vec<_>>().join(", ")
        );
        results.compared(name, value, theirs, Some(value / theirs), goal, value);
        for peer in &peers {
            let (one, other) = (ours.units.get(*row), peer.units.get(*row));
            if one != other {
                results.remark(format!(
                    "{row}: {one:?} came back from us, {other:?} from Dovecot."
                ));
            }
        }
    }
    Ok(())
}

fn measure(lab: &Lab, options: &Options, server: &mut dyn Server) -> Outcome<Measured> {
    let mut measured = Measured::default();
    let mut step = |server: &dyn Server, step: &str| -> Outcome<()> {
        let (port, user, password) = server.door()?;
        let args = [
            step.to_owned(),
            "--port".to_owned(),
            port.to_string(),
            "--user".to_owned(),
            user,
            "--password".to_owned(),
            password,
            "--messages".to_owned(),
            options.mailbox.to_string(),
            "--runs".to_owned(),
            options.runs.to_string(),
        ];
        println!("  {step}");
        measured.take(&lab.script("imap.py", &args)?);
        Ok(())
    };
    server.start()?;
    step(server, "populate")?;
    // Some index in the background; the rows are of a server that is done with it.
    pause(SETTLE);
    for _ in 0..options.runs {
        server.stop()?;
        server.start()?;
        step(server, "cold")?;
    }
    for name in ["warm", "write", "folders", "resync"] {
        step(server, name)?;
    }
    server.stop()?;
    Ok(measured)
}
