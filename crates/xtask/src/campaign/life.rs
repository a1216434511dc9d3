//! What must hold around a message's acknowledgement and a server's end: DUR-2 (sync before `250`, and only one), DUR-7 (SIGTERM
//! under load), DUR-8 (killed for want of memory).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::crash::further_deliveries;
use super::demo::{Demo, Launch};
use super::imap_client::Imap;
use super::ledger::{Ledger, Oracle};
use super::load::{Load, Road};
use super::told;
use crate::report::Summary;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to do.
pub struct Options {
    /// the program
    pub binary: PathBuf,
    /// a place for directories
    pub place: PathBuf,
    /// how many times it is told to stop under load (50 in the long form)
    pub stops: usize,
}

/// Runs all three.
pub fn run(options: &Options) -> Summary {
    let mut summary = Summary::new();
    told(
        &mut summary,
        "dur_2 the sync comes before 250, and a lone message costs one",
        dur_2(options),
    );
    told(&mut summary, "dur_7 SIGTERM under load", dur_7(options));
    match memory_group() {
        Ok(group) => told(
            &mut summary,
            "dur_8 killed for want of memory",
            dur_8(options, &group),
        ),
        Err(why) => summary.skip("dur_8 killed for want of memory", why),
    }
    summary
}

fn dur_2(options: &Options) -> Result<String, String> {
    let dir = options.place.join("dur2");
    let trace = options.place.join("dur2.trace");
    let mut launch = Launch::plain(&options.binary, 12);
    Demo::start(&launch, &dir)?.stop()?;
    let calls = "trace=write,writev,sendto,sendmsg,fsync,fdatasync";
    let words = ["strace", "-f", "-y", "-s", "400", "-e", calls, "-o"].map(OsString::from);
    launch.wrapper = words
        .into_iter()
        .chain([trace.clone().into_os_string()])
        .collect();
    let mut demo = Demo::start(&launch, &dir)?;
    let messages = 50;
    let refused = further_deliveries(&demo, &Ledger::default(), messages)?;
    demo.stop()?;
    if refused > 0 {
        return Err(format!("{refused} refused"));
    }
    let text = fs::read_to_string(&trace).map_err(|error| error.to_string())?;
    judge_order(&text, messages)
}

/// Between the acknowledgements of one client's consecutive messages there must be a sync, and for a lone message only one.
fn judge_order(trace: &str, messages: usize) -> Result<String, String> {
    let (mut acknowledged, mut since, mut extra) = (0, 0, 0);
    let mut began = false;
    for line in trace.lines() {
        let sync = (line.contains("fdatasync(")
            || line.contains("fsync(")
            || line.contains("fdatasync resumed")
            || line.contains("fsync resumed"))
            && line.contains("= 0");
        let answered = line.contains("queued as q");
        began |= line.contains("354 ");
        if sync && began {
            since += 1;
        } else if answered {
            acknowledged += 1;
            if since == 0 {
                return Err(format!(
                    "acknowledgement {acknowledged} came before any sync: {line:.200}"
                ));
            }
            extra += since - 1;
            since = 0;
        }
    }
    match acknowledged {
        count if count != messages => Err(format!(
            "{count} acknowledgements in the trace, {messages} expected"
        )),
        // Background work may sync too; it may not be what a message waits for.
        _ if extra > messages / 5 => Err(format!("{} syncs for {messages} lone messages", messages + extra)),
        _ => Ok(format!(
            "{messages} lone messages, each after its sync; {} syncs in all",
            messages + extra
        )),
    }
}

fn dur_7(options: &Options) -> Result<String, String> {
    let dir = options.place.join("dur7");
    let launch = Launch::plain(&options.binary, 12);
    let ledger = Arc::new(Ledger::default());
    let mut chance = Chance::new(7);
    let mut slowest = Duration::ZERO;
    for _ in 0..options.stops {
        let mut demo = Demo::start(&launch, &dir)?;
        let load = Load::start(
            &ledger,
            demo.ports,
            &demo.password,
            &[Road::Stranger, Road::Stranger, Road::User, Road::Program],
            8,
            chance.next(),
        );
        std::thread::sleep(Duration::from_millis(chance.between(100, 400)));
        slowest = slowest.max(demo.stop()?);
        load.join();
    }
    let demo = Demo::start(&launch, &dir)?;
    let findings = Oracle::default()
        .examine(&ledger, demo.ports.imap, &demo.password, true)
        .map_err(|error| error.to_string())?;
    if !findings.clean() {
        return Err(format!("{findings:?}"));
    }
    Ok(format!(
        "{} stops under load, the slowest took {slowest:?}; {} acknowledged, none lost",
        options.stops,
        ledger.acknowledged()
    ))
}

/// A memory control group of our own, version 1.
fn memory_group() -> Result<PathBuf, String> {
    let group = Path::new("/sys/fs/cgroup/memory").join(format!("hearthpost-{}", std::process::id()));
    fs::create_dir_all(&group)
        .map_err(|error| format!("no memory control group can be made here: {error}"))?;
    fs::metadata(group.join("memory.limit_in_bytes"))
        .map_err(|_| "memory control groups are not of version 1 here".to_owned())?;
    Ok(group)
}

fn dur_8(options: &Options, group: &Path) -> Result<String, String> {
    let dir = options.place.join("dur8");
    let launch = Launch::plain(&options.binary, 12);
    let mut confined = launch.clone();
    let join = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", group.display());
    confined.wrapper = ["sh", "-c", &join, "sh"].map(OsString::from).to_vec();
    let ledger = Arc::new(Ledger::default());
    let mut demo = Demo::start(&confined, &dir)?;
    let load = Load::start(&ledger, demo.ports, &demo.password, &[Road::Stranger; 8], 8, 8);
    let began = Instant::now();
    while ledger.acknowledged() < 200 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = starve(&mut demo, group);
    demo.kill();
    load.join();
    let _ = fs::remove_dir(group);
    killed?;
    let demo = Demo::start(&launch, &dir)?;
    let findings = Oracle::default()
        .examine(&ledger, demo.ports.imap, &demo.password, true)
        .map_err(|error| error.to_string())?;
    if !findings.clean() {
        return Err(format!("{findings:?}"));
    }
    Ok(format!(
        "killed by the kernel under load; {} acknowledged, none lost",
        ledger.acknowledged()
    ))
}

/// Leaves the group little more than it uses now, then asks for password hashes (19 MiB each) until the kernel kills.
fn starve(demo: &mut Demo, group: &Path) -> Result<(), String> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let used =
            fs::read_to_string(group.join("memory.usage_in_bytes")).map_err(|error| error.to_string())?;
        let used: u64 = used
            .trim()
            .parse()
            .map_err(|_| "the group's usage is no number")?;
        // Refused while the group needs more than this: then the next round tries again.
        let _ = fs::write(
            group.join("memory.limit_in_bytes"),
            (used + (2 << 20)).to_string(),
        );
        for attempt in 0..4 {
            let _ = Imap::sign_in(demo.ports.imap, "user1@example.test", &format!("wrong {attempt}"));
        }
        if !demo.is_running() {
            return Ok(());
        }
    }
    Err("the kernel did not kill it: nothing was shown".into())
}

#[cfg(test)]
mod tests {
    use super::judge_order;

    const GOOD: &str = "1 sendto(9<TCP>, \"354 go\") = 6\n2 fdatasync(5</d/mail.db-wal>) = 0\n1 sendto(9<TCP>, \"250 2.0.0 queued as qaaa\") = 9\n";

    #[test]
    fn an_answer_before_the_sync_is_noticed() {
        assert!(judge_order(GOOD, 1).is_ok());
        let lines: Vec<&str> = GOOD.lines().collect();
        assert!(judge_order(&[lines[0], lines[2], lines[1]].join("\n"), 1).is_err());
        assert!(judge_order(GOOD, 2).is_err(), "a missing acknowledgement");
    }
}
