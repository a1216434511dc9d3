//! Disk faults on the real binary: full, out of inodes, read-only, failing and lying disks (recipes R4 and R5; cases DSK-1 to DSK-10).
//!
//! Needs root (loop devices, tmpfs, strace). Each case is a function named after its id.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::crash::further_deliveries;
use super::demo::{Demo, Launch};
use super::imap_client::Imap;
use super::ledger::{Findings, Ledger, Oracle, inspect, message};
use super::smtp_client::{Sent, Smtp};
use super::told;
use crate::report::Summary;

/// Mail is taken again so long after the disk is well, at most.
const RECOVERED_LIMIT: Duration = Duration::from_secs(30);
const USER: &str = "user0@example.test";

/// What to do.
pub struct Options {
    /// the program
    pub binary: PathBuf,
    /// a place for images and directories
    pub place: PathBuf,
    /// rounds of filling and freeing (20 in the long form)
    pub rounds: usize,
    /// only cases whose name contains this
    pub only: String,
}

type Case = fn(&Options) -> Result<String, String>;

/// Runs every case.
pub fn run(options: &Options) -> Result<Summary, String> {
    let cases: [(&str, Case); 10] = [
        ("dsk_1 a full disk refuses for now and recovers by itself", dsk_1),
        ("dsk_2 a full disk still lets people read and delete", dsk_2),
        ("dsk_3 no inodes left", dsk_3),
        ("dsk_4 a failed sync is never believed", dsk_4),
        ("dsk_5 an unreadable message leaves the others readable", dsk_5),
        ("dsk_6 interrupted writes", dsk_6),
        ("dsk_7 a disk that turns read-only and back", dsk_7),
        ("dsk_8 a flipped bit is never served silently", |options| {
            dsk_8(&options.binary, &options.place, &[])
        }),
        ("dsk_9 files that are not primary may go", dsk_9),
        ("dsk_10 a very slow disk", dsk_10),
    ];
    let mut tally = Summary::new();
    for (name, case) in cases.into_iter().filter(|(name, _)| name.contains(&options.only)) {
        told(&mut tally, name, case(options));
    }
    Ok(tally)
}

/// A file system of its own on a loop device or in memory.
struct SmallDisk {
    mount: PathBuf,
    image: Option<PathBuf>,
}

impl SmallDisk {
    fn ext4(place: &Path, name: &str, mib: u64) -> Result<Self, String> {
        let (mount, image) = (place.join(name), place.join(format!("{name}.img")));
        fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        fs::File::create(&image)
            .and_then(|file| file.set_len(mib << 20))
            .map_err(|error| error.to_string())?;
        sh(&format!(
            "mkfs.ext4 -q -F -m 0 {0} && mount -o loop {0} {1}",
            image.display(),
            mount.display()
        ))?;
        Ok(Self {
            mount,
            image: Some(image),
        })
    }

    fn tmpfs(place: &Path, name: &str, inodes: u64) -> Result<Self, String> {
        let mount = place.join(name);
        fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        sh(&format!(
            "mount -t tmpfs -o size=200m,nr_inodes={inodes} none {}",
            mount.display()
        ))?;
        Ok(Self { mount, image: None })
    }

    fn dir(&self) -> PathBuf {
        self.mount.join("demo")
    }

    /// Takes all space but `leave` bytes with one file.
    fn fill(&self, leave: u64) -> Result<PathBuf, String> {
        let path = self.mount.join("filler");
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| error.to_string())?;
        let block = vec![b'x'; 64 * 1024];
        while free_bytes(&self.mount)? > leave {
            if file.write_all(&block).is_err() {
                break;
            }
        }
        if leave == 0 {
            for size in [4096, 512, 1] {
                while file.write_all(&block[..size]).is_ok() {}
            }
        }
        let _ = file.sync_all();
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = sh(&format!("umount -l {}", self.mount.display()));
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

fn sh(script: &str) -> Result<String, String> {
    let output = Command::new("bash")
        .args(["-c", script])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!(
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

fn free_bytes(path: &Path) -> Result<u64, String> {
    let blocks = sh(&format!("stat -f -c '%a %S' {}", path.display()))?;
    let mut numbers = blocks.split(' ').filter_map(|number| number.parse::<u64>().ok());
    Ok(numbers.next().unwrap_or(0) * numbers.next().unwrap_or(0))
}

fn launch(options: &Options) -> Launch {
    Launch::plain(&options.binary, 12)
}

fn fresh(options: &Options, name: &str) -> Result<PathBuf, String> {
    let dir = options.place.join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    Ok(dir)
}

/// Offers one message; acknowledges it in the ledger when the server does.
fn offer(ledger: &Ledger, demo: &Demo, size: usize) -> Sent {
    let recipients = [USER.to_owned()];
    let seq = ledger.attempt(&recipients);
    let Ok(mut session) = Smtp::connect(demo.ports.smtp, false) else {
        return Sent::BrokenBefore;
    };
    let sent = session.send(
        "s@remote.test",
        &recipients,
        &message(seq, "s@remote.test", USER, size),
        false,
    );
    if let Sent::Acknowledged(reply) = &sent {
        ledger.acknowledge(seq, reply);
    }
    sent
}

fn is_temporary(sent: &Sent) -> bool {
    match sent {
        Sent::Refused(reply) => reply.trim_start().starts_with('4') || reply.contains(" 4."),
        Sent::BrokenBefore | Sent::BrokenUnanswered => true,
        Sent::Acknowledged(_) => false,
    }
}

fn examine(ledger: &Ledger, demo: &Demo) -> Result<Findings, String> {
    let findings = Oracle::default()
        .examine(ledger, demo.ports.imap, &demo.password, true)
        .map_err(|error| error.to_string())?;
    if findings.clean() {
        Ok(findings)
    } else {
        Err(format!("{findings:?}"))
    }
}

/// Offers until one is accepted, at most for `limit`.
fn until_accepted(ledger: &Ledger, demo: &Demo, limit: Duration) -> Result<Duration, String> {
    let began = Instant::now();
    loop {
        let sent = offer(ledger, demo, 2_000);
        match sent {
            Sent::Acknowledged(_) => return Ok(began.elapsed()),
            other if began.elapsed() > limit => {
                return Err(format!("still not accepted after {limit:?}: {other:?}"));
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn dsk_1(options: &Options) -> Result<String, String> {
    let disk = SmallDisk::ext4(&options.place, "dsk1", 160)?;
    let ledger = Arc::new(Ledger::default());
    let demo = Demo::start(&launch(options), &disk.dir())?;
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..options.rounds {
        until_accepted(&ledger, &demo, RECOVERED_LIMIT).map_err(|error| format!("round {round}: {error}"))?;
        let filler = disk.fill(if round % 2 == 0 { 0 } else { 200_000 })?;
        for _ in 0..20 {
            match offer(&ledger, &demo, 60_000) {
                Sent::Acknowledged(_) => accepted += 1,
                sent if is_temporary(&sent) => refused += 1,
                other => {
                    return Err(format!(
                        "round {round}: a full disk must refuse for now, not {other:?}"
                    ));
                }
            }
        }
        Imap::sign_in(demo.ports.imap, USER, &demo.password)
            .and_then(|mut imap| {
                imap.command("EXAMINE INBOX")?
                    .or_error()
                    .and_then(|_| imap.command("FETCH 1 BODY.PEEK[]")?.or_error())
            })
            .map_err(|error| format!("round {round}: mail must stay readable: {error}"))?;
        fs::remove_file(filler).map_err(|error| error.to_string())?;
    }
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    let findings = examine(&ledger, &demo)?;
    if refused == 0 {
        return Err("the disk was never full".into());
    }
    Ok(format!(
        "{} rounds, {refused} refused for now, {accepted} accepted while full, {} present, 0 lost",
        options.rounds, findings.present
    ))
}

fn dsk_2(options: &Options) -> Result<String, String> {
    let disk = SmallDisk::ext4(&options.place, "dsk2", 160)?;
    let ledger = Arc::new(Ledger::default());
    let demo = Demo::start(&launch(options), &disk.dir())?;
    further_deliveries(&demo, &ledger, 200)?;
    disk.fill(0)?;
    let mut imap = Imap::sign_in(demo.ports.imap, USER, &demo.password).map_err(|error| error.to_string())?;
    let step = |imap: &mut Imap, command: &str| {
        imap.command(command)
            .and_then(super::imap_client::Answer::or_error)
            .map_err(|error| format!("{command}: {error}"))
    };
    step(&mut imap, "SELECT INBOX")?;
    step(&mut imap, "FETCH 1:5 BODY.PEEK[]")?;
    step(&mut imap, "STORE 1:5 +FLAGS.SILENT (\\Deleted)")?;
    let gone = step(&mut imap, "EXPUNGE")?
        .untagged
        .iter()
        .filter(|line| line.text.ends_with(" EXPUNGE"))
        .count();
    if gone == 5 {
        Ok("with 0 bytes free: FETCH, STORE and EXPUNGE of 5 succeeded".into())
    } else {
        Err(format!("{gone} of 5 expunged"))
    }
}

fn dsk_3(options: &Options) -> Result<String, String> {
    let disk = SmallDisk::tmpfs(&options.place, "dsk3", 200)?;
    let ledger = Arc::new(Ledger::default());
    let demo = Demo::start(&launch(options), &disk.dir())?;
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    let hoard = disk.mount.join("hoard");
    fs::create_dir(&hoard).map_err(|error| error.to_string())?;
    let mut taken = 0;
    while fs::File::create(hoard.join(taken.to_string())).is_ok() {
        taken += 1;
    }
    let big = offer(&ledger, &demo, 300_000);
    if !is_temporary(&big) {
        return Err(format!(
            "with no inode left a large message must be refused for now, not {big:?}"
        ));
    }
    fs::remove_dir_all(&hoard).map_err(|error| error.to_string())?;
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    examine(&ledger, &demo)?;
    Ok(format!(
        "{taken} files took the last inodes; refused for now, then accepted again"
    ))
}

/// How often, and how long each time, strace may try to get hold of every thread.
const ATTACH_TRIES: usize = 5;
const ATTACH_LIMIT: Duration = Duration::from_secs(60);

/// strace attached to the server, injecting faults until dropped.
struct Injection {
    strace: Child,
    log: PathBuf,
}

impl Injection {
    /// Attaches to every thread. With `when=` in `inject`, strace counts the calls of each thread apart, beginning now.
    fn attach(demo: &Demo, inject: &str) -> Result<Self, String> {
        let log = std::env::temp_dir().join(format!("hearthpost-injected-{}", demo.pid));
        let mut problem = String::new();
        for _ in 0..ATTACH_TRIES {
            let strace = Command::new("strace")
                .args(["-f", "-q", "-s", "0", "-e", "signal=none", "-e", inject, "-o"])
                .arg(&log)
                .args(["-p", &demo.pid.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("strace: {error}"))?;
            let mut injection = Self {
                strace,
                log: log.clone(),
            };
            match injection.holds(demo.pid) {
                Ok(()) => return Ok(injection),
                Err(why) => problem = why,
            }
        }
        Err(problem)
    }

    /// Waits until no thread is left out. A thread that was born while strace went through the list stays out for good.
    fn holds(&mut self, pid: u32) -> Result<(), String> {
        let began = Instant::now();
        while !all_traced(pid) {
            if self.strace.try_wait().ok().flatten().is_some() {
                return Err("strace ended".into());
            }
            if began.elapsed() > ATTACH_LIMIT {
                return Err("strace did not attach to every thread".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends the injection; how many calls were given the fault.
    fn end(mut self) -> usize {
        self.detach();
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.contains("(INJECTED)")).count()
    }

    fn detach(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.strace.id().to_string()])
            .status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if let Ok(Some(_)) = self.strace.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn all_traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    // A thread that ended meanwhile does no more calls.
    threads.flatten().all(|thread| {
        fs::read_to_string(thread.path().join("status")).map_or(true, |status| {
            status
                .lines()
                .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        })
    })
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.detach();
        let _ = fs::remove_file(&self.log);
    }
}

fn dsk_4(options: &Options) -> Result<String, String> {
    let dir = fresh(options, "dsk4")?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &dir)?;
    let (mut accepted, mut refused) = (0, 0);
    // The first sync of every thread fails, and so does every seventh after it: the first acceptance is refused, whichever thread
    // commits it. The second alone decides whether the log is whole again. Then all fail, repairs included.
    for (inject, offers) in [
        ("inject=fsync,fdatasync:error=EIO:when=1+7", 40),
        ("inject=fsync,fdatasync:error=EIO", 5),
    ] {
        let _injection = Injection::attach(&demo, inject)?;
        let refused_before = refused;
        for _ in 0..offers {
            match offer(&ledger, &demo, 3_000) {
                Sent::Acknowledged(_) => accepted += 1,
                sent if is_temporary(&sent) => refused += 1,
                other => return Err(format!("a failed sync must defer, not {other:?}")),
            }
            if !demo.is_running() {
                demo = Demo::start(&launch(options), &dir)?;
                break;
            }
        }
        if refused == refused_before {
            return Err(format!("{inject}: no sync failed, the injection did not bite"));
        }
    }
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    demo.kill();
    let demo = Demo::start(&launch(options), &dir)?;
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    let findings = examine(&ledger, &demo)?;
    if findings.unacknowledged > 0 {
        return Err(format!(
            "{} messages whose refusal was read are there all the same",
            findings.unacknowledged
        ));
    }
    Ok(format!(
        "{accepted} accepted and kept, {refused} deferred and not kept; after kill and restart all agree"
    ))
}

/// Messages too large for the database: no memory of SQLite's can answer in the disk's place.
const LARGE: u32 = 6;
const LARGE_BYTES: usize = 200_000;

fn dsk_5(options: &Options) -> Result<String, String> {
    let dir = fresh(options, "dsk5")?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &dir)?;
    for _ in 0..LARGE {
        offer(&ledger, &demo, LARGE_BYTES);
    }
    further_deliveries(&demo, &ledger, 1_600)?;
    demo.stop()?;
    let demo = Demo::start(&launch(options), &dir)?;
    let mut imap = Imap::sign_in(demo.ports.imap, USER, &demo.password).map_err(|error| error.to_string())?;
    imap.command("SELECT INBOX")
        .and_then(super::imap_client::Answer::or_error)
        .map_err(|error| error.to_string())?;
    let large = large_ones(&mut imap)?;
    let (mut good, mut failed) = (0, 0);
    // While nothing can be read, each large message must fail; then one read in eight of every thread fails, on small messages.
    for (inject, numbers) in [
        ("inject=pread64:error=EIO", large.clone()),
        ("inject=pread64:error=EIO:when=1+8", large.end..large.end + 60),
    ] {
        let _injection = Injection::attach(&demo, inject)?;
        for number in numbers {
            match fetch_one(&mut imap, number)? {
                true => good += 1,
                false => failed += 1,
            }
        }
        if failed < LARGE {
            return Err(format!(
                "{good} readable, {failed} not: the injection did not bite"
            ));
        }
    }
    for number in large.start..large.start + 200 {
        if !fetch_one(&mut imap, number)? {
            return Err(format!(
                "message {number} stays unreadable on a disk that reads again"
            ));
        }
    }
    examine(&ledger, &demo)?;
    Ok(format!(
        "{failed} fetches answered NO, {good} served intact beside them, all readable on the same connection afterwards"
    ))
}

/// The large messages' numbers; they came first, one after the other.
fn large_ones(imap: &mut Imap) -> Result<std::ops::Range<u32>, String> {
    let answer = imap
        .command(&format!("SEARCH LARGER {}", LARGE_BYTES / 2))
        .and_then(super::imap_client::Answer::or_error)
        .map_err(|error| format!("SEARCH: {error}"))?;
    let first = answer
        .untagged
        .iter()
        .find_map(|line| {
            line.text
                .strip_prefix("* SEARCH ")?
                .split(' ')
                .next()?
                .parse::<u32>()
                .ok()
        })
        .ok_or_else(|| format!("no large message: {answer:?}"))?;
    Ok(first..first + LARGE)
}

/// Whether a message was served, whole and as it was sent. Anything between that and NO is an error.
fn fetch_one(imap: &mut Imap, number: u32) -> Result<bool, String> {
    let answer = imap
        .command(&format!("FETCH {number} BODY.PEEK[]"))
        .map_err(|error| format!("the connection must survive: {error}"))?;
    let intact = answer
        .untagged
        .iter()
        .flat_map(|line| &line.literals)
        .any(|body| matches!(inspect(body), Some((_, true))));
    if answer.ok() && !intact {
        return Err(format!("message {number} was served wrong: {answer:?}"));
    }
    Ok(answer.ok())
}

fn dsk_6(options: &Options) -> Result<String, String> {
    let dir = fresh(options, "dsk6")?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &dir)?;
    // Every second write of every thread, from its first on.
    let injection = Injection::attach(&demo, "inject=pwrite64:error=EINTR:when=1+2")?;
    for _ in 0..40 {
        offer(&ledger, &demo, 5_000);
    }
    let interrupted = injection.end();
    demo.kill();
    let demo = Demo::start(&launch(options), &dir)?;
    let findings = examine(&ledger, &demo)?;
    if interrupted == 0 {
        return Err("no write was interrupted: the injection did not bite".into());
    }
    Ok(format!(
        "{} present and intact after {interrupted} interrupted writes and a kill",
        findings.present
    ))
}

fn dsk_7(options: &Options) -> Result<String, String> {
    let deferred = dsk_7_and_back(options)?;
    dsk_7_for_good(options)?;
    Ok(format!(
        "{deferred} deferred while writes answered EROFS, then accepted without a restart; an ext4 that gave up: deferred, readable, nothing lost after the next mount"
    ))
}

/// Every write answers "read-only file system" for a while, as after `remount,ro`; then they work again, as after `remount,rw`.
fn dsk_7_and_back(options: &Options) -> Result<usize, String> {
    let dir = fresh(options, "dsk7")?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &dir)?;
    further_deliveries(&demo, &ledger, 50)?;
    let mut deferred = 0;
    {
        let _injection = Injection::attach(
            &demo,
            "inject=pwrite64,pwritev,fdatasync,fsync,ftruncate:error=EROFS",
        )?;
        for _ in 0..10 {
            match offer(&ledger, &demo, 2_000) {
                sent if is_temporary(&sent) => deferred += 1,
                sent => return Err(format!("a read-only disk must defer, not {sent:?}")),
            }
        }
        still_readable(&demo)?;
    }
    if !demo.is_running() {
        return Err("the server went away".into());
    }
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    examine(&ledger, &demo)?;
    Ok(deferred)
}

/// A real ext4 that meets an error under load and turns read-only (`errors=remount-ro`). It writes again only after a new mount.
fn dsk_7_for_good(options: &Options) -> Result<(), String> {
    let disk = SmallDisk::ext4(&options.place, "dsk7ext4", 200)?;
    let image = disk
        .image
        .as_ref()
        .ok_or("an ext4 disk has an image")?
        .display()
        .to_string();
    let mount = disk.mount.display().to_string();
    sh(&format!(
        "umount {mount} && mount -o loop,errors=remount-ro {image} {mount}"
    ))?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &disk.dir())?;
    further_deliveries(&demo, &ledger, 50)?;
    sh(&format!(
        "echo 1 > /sys/fs/ext4/$(basename $(findmnt -n -o SOURCE {mount}))/trigger_fs_error"
    ))?;
    if fs::write(disk.mount.join("probe"), b"x").is_ok() {
        return Err("could not make the disk read-only here".into());
    }
    for _ in 0..10 {
        let sent = offer(&ledger, &demo, 2_000);
        if !is_temporary(&sent) {
            return Err(format!("a read-only disk must defer, not {sent:?}"));
        }
    }
    still_readable(&demo)?;
    if !demo.is_running() {
        return Err("the server went away".into());
    }
    demo.kill();
    sh(&format!(
        "umount {mount} && (e2fsck -fy {image} >/dev/null; test $? -lt 4) && mount -o loop {image} {mount}"
    ))?;
    let demo = Demo::start(&launch(options), &disk.dir())?;
    until_accepted(&ledger, &demo, RECOVERED_LIMIT)?;
    examine(&ledger, &demo).map(drop)
}

fn still_readable(demo: &Demo) -> Result<(), String> {
    Imap::sign_in(demo.ports.imap, USER, &demo.password)
        .and_then(|mut imap| {
            imap.command("EXAMINE INBOX")?
                .or_error()
                .and_then(|_| imap.command("FETCH 2:4 BODY.PEEK[]")?.or_error())
        })
        .map(drop)
        .map_err(|error| format!("reads must keep working: {error}"))
}

/// Messages in the store whose bits are flipped.
const DELIVERED: usize = 204;

/// Flips bytes all over the stopped store and reads everything back: damaged is allowed, wrong is not.
pub fn dsk_8(binary: &Path, place: &Path, env: &[(&str, &str)]) -> Result<String, String> {
    let dir = place.join("dsk8");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    let ledger = Arc::new(Ledger::default());
    let mut launch = Launch::plain(binary, 12);
    for (name, value) in env {
        launch = launch.with_env(name, value);
    }
    let mut demo = Demo::start(&launch, &dir)?;
    further_deliveries(&demo, &ledger, DELIVERED - 4)?;
    for _ in 0..4 {
        offer(&ledger, &demo, 200_000);
    }
    demo.stop()?;
    let flipped = flip_text(&dir, b"as plain as a line can be", 12)?;
    if flipped == 0 {
        return Err("no stored text was found to flip".into());
    }
    let demo = Demo::start(&launch, &dir)?;
    let (mut intact, mut refused) = (0, 0);
    for user in 0..8 {
        let mut imap = Imap::sign_in(
            demo.ports.imap,
            &format!("user{user}@example.test"),
            &demo.password,
        )
        .map_err(|error| error.to_string())?;
        let selected = imap.command("EXAMINE INBOX").map_err(|error| error.to_string())?;
        let uidnext = selected.code_number("UIDNEXT").unwrap_or(1);
        for uid in 1..uidnext {
            let answer = imap
                .command(&format!("UID FETCH {uid} BODY.PEEK[]"))
                .map_err(|error| format!("the connection must survive: {error}"))?;
            for body in answer.untagged.iter().flat_map(|line| &line.literals) {
                match inspect(body) {
                    Some((_, true)) => intact += 1,
                    Some((seq, false)) => return Err(format!("message {seq} was served with a flipped bit")),
                    None => {}
                }
            }
            refused += usize::from(!answer.ok());
        }
    }
    if refused == 0 {
        return Err(format!("{flipped} bytes were flipped and nothing was reported"));
    }
    Ok(format!(
        "{flipped} bytes flipped: {refused} messages reported as damaged, {intact} served intact, none wrong"
    ))
}

/// Flips one letter in up to `most` places where `needle` stands in the store's files, far apart from each other.
fn flip_text(dir: &Path, needle: &[u8], most: usize) -> Result<usize, String> {
    let listed = sh(&format!(
        "find {} -type f -size +8k -not -path '*/log/*'",
        dir.display()
    ))?;
    let mut flipped = 0;
    for path in listed.lines() {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|error| error.to_string())?;
        let mut at = 0;
        let mut here = 0;
        while let Some(found) = find(&bytes[at..], needle) {
            let place = at + found + 3;
            file.seek(SeekFrom::Start(place as u64))
                .and_then(|_| file.write_all(&[bytes[place] ^ 1]))
                .map_err(|error| error.to_string())?;
            (flipped, here, at) = (flipped + 1, here + 1, place + 40_000);
            if here >= most || at >= bytes.len() {
                break;
            }
        }
    }
    Ok(flipped)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn dsk_9(options: &Options) -> Result<String, String> {
    let dir = fresh(options, "dsk9")?;
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&launch(options), &dir)?;
    further_deliveries(&demo, &ledger, 60)?;
    let mut done = Vec::new();
    for pattern in [
        "*-shm",
        "reserve",
        "LOCK",
        "control.sock",
        "log/*",
        "staging",
        "index.db",
        "index.db*",
    ] {
        demo.kill();
        sh(&format!(
            "cd {} && find . -path './{pattern}' -o -path './*/{pattern}' | xargs -r rm -rf",
            dir.display()
        ))?;
        demo = Demo::start(&launch(options), &dir).map_err(|error| format!("without {pattern}: {error}"))?;
        examine(&ledger, &demo).map_err(|error| format!("without {pattern}: {error}"))?;
        done.push(pattern);
    }
    Ok(format!("started and complete without each of {done:?}"))
}

/// A control group in which a disk takes ten writes a second. Dropping it lets the process go.
struct Throttle {
    above: &'static Path,
    group: PathBuf,
    pid: u32,
}

impl Throttle {
    /// In the block layer's own hierarchy, or where there is one for everything (version 2).
    fn of(device: &str, pid: u32) -> Result<Self, String> {
        let (apart, whole) = (Path::new("/sys/fs/cgroup/blkio"), Path::new("/sys/fs/cgroup"));
        let above = if apart.is_dir() { apart } else { whole };
        let group = above.join("hearthpost-dsk10");
        let throttle = Self { above, group, pid };
        let write = |file: &Path, text: &str| {
            fs::write(file, text)
                .map_err(|error| format!("cannot throttle here: {}: {error}", file.display()))
        };
        if above == whole {
            write(&whole.join("cgroup.subtree_control"), "+io")?;
        }
        fs::create_dir_all(&throttle.group).map_err(|error| format!("no control group here: {error}"))?;
        if above == apart {
            let limit = throttle.group.join("blkio.throttle.write_iops_device");
            write(&limit, &format!("{device} 10"))?;
        } else {
            write(&throttle.group.join("io.max"), &format!("{device} wiops=10"))?;
        }
        write(&throttle.group.join("cgroup.procs"), &pid.to_string())?;
        Ok(throttle)
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        let _ = fs::write(self.above.join("cgroup.procs"), self.pid.to_string());
        let _ = fs::remove_dir(&self.group);
    }
}

fn dsk_10(options: &Options) -> Result<String, String> {
    let disk = SmallDisk::ext4(&options.place, "dsk10", 200)?;
    let ledger = Arc::new(Ledger::default());
    let demo = Demo::start(&launch(options), &disk.dir())?;
    further_deliveries(&demo, &ledger, 50)?;
    let device = sh(&format!("findmnt -n -o MAJ:MIN {}", disk.mount.display()))?;
    let throttle = Throttle::of(device.trim(), demo.pid)?;
    let before = resident_kib(demo.pid)?;
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (ledger, port) = (Arc::clone(&ledger), demo.ports.smtp);
            std::thread::spawn(move || {
                let began = Instant::now();
                while began.elapsed() < Duration::from_secs(6) {
                    let recipients = [USER.to_owned()];
                    let seq = ledger.attempt(&recipients);
                    let Ok(mut session) = Smtp::connect(port, false) else {
                        return;
                    };
                    if let Sent::Acknowledged(reply) = session.send(
                        "s@remote.test",
                        &recipients,
                        &message(seq, "s@remote.test", USER, 40_000),
                        false,
                    ) {
                        ledger.acknowledge(seq, &reply);
                    }
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let began = Instant::now();
        Imap::sign_in(demo.ports.imap, USER, &demo.password)
            .and_then(|mut imap| {
                imap.command("EXAMINE INBOX")?
                    .or_error()
                    .and_then(|_| imap.command("FETCH 1:3 BODY.PEEK[]")?.or_error())
            })
            .map_err(|error| format!("reads must go on: {error}"))?;
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(300));
    }
    for sender in senders {
        sender.join().map_err(|_| "a sender panicked")?;
    }
    let grown = resident_kib(demo.pid)?.saturating_sub(before);
    drop(throttle);
    examine(&ledger, &demo)?;
    if slowest > Duration::from_secs(5) || grown > 64 * 1024 {
        return Err(format!(
            "slowest read {slowest:?} (limit 5 s), memory grew by {grown} KiB (limit 64 MiB)"
        ));
    }
    Ok(format!(
        "10 writes a second allowed: slowest read {slowest:?}, memory grew by {grown} KiB, nothing lost"
    ))
}

fn resident_kib(pid: u32) -> Result<u64, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .ok_or_else(|| "VmRSS is no number".into())
}
