//! Power cuts for a whole program: its system calls are recorded by strace, and every state that the disk may show after a
//! cut at any moment is rebuilt offline.
//!
//! 1. [`snapshot`] the directory before the program starts;
//! 2. [`record`] starts the program under strace ([`strace()`] gives the words, for a caller that starts it in its own way);
//! 3. [`Recording::read`] turns what strace wrote into [`Op`]s;
//! 4. [`Recording::rebuild`] writes the state after a cut into an empty directory, and [`Recording::sent_before`] tells what the
//!    world had been told by then: start the program there and ask for it.
//!
//! Assumptions: one process (threads are fine); files are written with pwrite, or with write from the place where they were
//! opened; nothing durable is written through a memory map (SQLite's `-shm` is rebuilt at every start).

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::disk::{Files, NameRule, Op, SimDisk};

/// What is recorded.
const CALLS: &str = "trace=openat,pwrite64,write,pwritev,pwritev2,writev,sendto,sendmsg,fsync,fdatasync,rename,renameat,\
                     renameat2,unlink,unlinkat,ftruncate,dup,dup2,dup3";

/// The words to put in front of a program so that strace records it to `trace`. strace ends when the program does, and passes
/// signals on.
pub fn strace(trace: &Path) -> Vec<OsString> {
    let options = [
        "strace",
        "-f",
        "-ttt",
        "-y",
        "-xx",
        "-s",
        "100000000",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
    ];
    options
        .map(OsString::from)
        .into_iter()
        .chain([trace.as_os_str().to_owned(), OsString::from("--")])
        .collect()
}

/// Starts `program` with `arguments` under [`strace()`].
pub fn record(program: &Path, arguments: &[&str], trace: &Path) -> io::Result<Child> {
    let words = strace(trace);
    Command::new(&words[0])
        .args(&words[1..])
        .arg(program)
        .args(arguments)
        .spawn()
}

/// All files below `root` with their content.
pub fn snapshot(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                let name = path
                    .strip_prefix(root)
                    .expect("it was found below the root")
                    .to_owned();
                files.insert(name, std::fs::read(path)?);
            }
        }
    }
    Ok(files)
}

/// A recorded run.
#[derive(Debug)]
pub struct Recording {
    base: Files,
    ops: Vec<Op>,
    rule: NameRule,
}

impl Recording {
    /// Reads strace's output for the files below `root`, which held `base` when the program started. The error names the line.
    pub fn read(trace: &Path, root: &Path, base: Files, rule: NameRule) -> Result<Self, String> {
        let bytes = std::fs::read(trace).map_err(|error| format!("{}: {error}", trace.display()))?;
        let ops = read_trace(&String::from_utf8_lossy(&bytes), root, &base)?;
        Ok(Self { base, ops, rule })
    }

    /// Everything that happened, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// What sockets were handed before the operation `at`.
    pub fn sent_before(&self, at: usize) -> impl Iterator<Item = &[u8]> {
        self.ops[..at].iter().filter_map(|op| match op {
            Op::Sent { bytes } => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// The disk just before the operation `at`.
    pub fn disk(&self, at: usize) -> SimDisk {
        let mut disk = SimDisk::new(&self.base, self.rule);
        self.ops[..at].iter().for_each(|op| disk.apply(op));
        disk
    }

    /// Writes into `into` one state that may be found after a cut just before the operation `at`.
    pub fn rebuild(&self, at: usize, seed: u64, into: &Path) -> io::Result<()> {
        write_files(&self.disk(at).after_cut(seed), into)
    }
}

/// Writes `files` below `into`.
pub fn write_files(files: &Files, into: &Path) -> io::Result<()> {
    for (name, bytes) in files {
        let path = into.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

fn read_trace(text: &str, root: &Path, base: &Files) -> Result<Vec<Op>, String> {
    let mut reader = Reader {
        root: root.to_owned(),
        sizes: base
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.len() as u64))
            .collect(),
        ..Reader::default()
    };
    for (number, line) in text.lines().enumerate() {
        reader.line(line).ok_or_else(|| {
            let shown: String = line.chars().take(200).collect();
            format!("line {} of the trace cannot be read: {shown}", number + 1)
        })?;
    }
    Ok(reader.ops)
}

#[derive(Default)]
struct Reader {
    root: PathBuf,
    ops: Vec<Op>,
    /// what each file's size is, for appending
    sizes: HashMap<PathBuf, u64>,
    /// where the next `write` to a descriptor goes; absent: at the end
    places: HashMap<u64, u64>,
    /// the first halves of interrupted lines, by thread
    unfinished: HashMap<String, (String, Option<u64>)>,
    tokens: u64,
}

impl Reader {
    /// One line; `None` when it cannot be understood.
    fn line(&mut self, line: &str) -> Option<()> {
        let (thread, rest) = line.split_once(char::is_whitespace)?;
        let (_time, rest) = rest.trim_start().split_once(' ')?;
        if rest.starts_with("+++") || rest.starts_with("---") {
            return Some(());
        }
        if let Some(first_half) = rest.strip_suffix(" <unfinished ...>") {
            let token = self.begins(first_half)?;
            self.unfinished
                .insert(thread.to_owned(), (first_half.to_owned(), token));
            return Some(());
        }
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, second_half) = resumed.split_once(" resumed>")?;
            let (first_half, token) = self.unfinished.remove(thread)?;
            return self.ends(&format!("{first_half}{second_half}"), token);
        }
        if rest.starts_with("????") || !rest.contains('(') {
            return Some(());
        }
        let token = self.begins(rest)?;
        self.ends(rest, token)
    }

    /// What matters from the moment a call begins: syncs cover what is complete now, and the world may hear what is sent.
    fn begins(&mut self, call: &str) -> Option<Option<u64>> {
        let (name, arguments) = call.split_once('(')?;
        match name {
            "fsync" | "fdatasync" => {
                let Some(path) = self.ours(&descriptor(arguments)?) else {
                    return Some(None);
                };
                self.tokens += 1;
                self.ops.push(Op::SyncStart {
                    token: self.tokens,
                    path,
                });
                Some(Some(self.tokens))
            }
            "sendto" | "sendmsg" | "write" | "writev" => {
                let target = descriptor(arguments)?;
                if target.path.as_os_str().as_encoded_bytes().starts_with(b"socket:") {
                    self.ops.push(Op::Sent {
                        bytes: strings(arguments).concat(),
                    });
                }
                Some(None)
            }
            _ => Some(None),
        }
    }

    /// What a call did when it returned.
    fn ends(&mut self, call: &str, token: Option<u64>) -> Option<()> {
        let (name, rest) = call.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        if result.starts_with('-') || result.starts_with('?') {
            return Some(());
        }
        match name {
            "fsync" | "fdatasync" => {
                if let Some(token) = token {
                    self.ops.push(Op::SyncDone { token });
                }
            }
            "openat" => self.opened(arguments, result)?,
            "dup" | "dup2" | "dup3" => {
                let (from, to) = (descriptor(arguments)?.number, descriptor(result)?.number);
                match self.places.get(&from).copied() {
                    Some(place) => self.places.insert(to, place),
                    None => self.places.remove(&to),
                };
            }
            "write" | "writev" => self.wrote(arguments, result, None)?,
            "pwrite64" | "pwritev" | "pwritev2" => {
                self.wrote(arguments, result, Some(last_number(name, arguments)?))?
            }
            "ftruncate" => {
                let size_bytes = arguments
                    .trim_end_matches(')')
                    .rsplit_once(", ")?
                    .1
                    .parse()
                    .ok()?;
                if let Some(path) = self.ours(&descriptor(arguments)?) {
                    self.sizes.insert(path.clone(), size_bytes);
                    self.ops.push(Op::Truncate { path, size_bytes });
                }
            }
            "rename" | "renameat" | "renameat2" => self.renamed(arguments)?,
            "unlink" | "unlinkat" => {
                let name = strings(arguments).pop()?;
                if let Some(path) = self.below_root(&PathBuf::from(OsString::from_vec(name))) {
                    self.sizes.remove(&path);
                    self.ops.push(Op::Unlink { path });
                }
            }
            _ => {}
        }
        Some(())
    }

    fn opened(&mut self, arguments: &str, result: &str) -> Option<()> {
        let target = descriptor(result)?;
        let Some(path) = self.ours(&target) else {
            self.places.remove(&target.number);
            return Some(());
        };
        if arguments.contains("O_DIRECTORY") || arguments.contains("O_TMPFILE") {
            return Some(());
        }
        if arguments.contains("O_CREAT") && !self.sizes.contains_key(&path) {
            self.sizes.insert(path.clone(), 0);
            self.ops.push(Op::Create { path: path.clone() });
        }
        if arguments.contains("O_TRUNC") {
            self.sizes.insert(path.clone(), 0);
            self.ops.push(Op::Truncate { path, size_bytes: 0 });
        }
        if arguments.contains("O_APPEND") {
            self.places.remove(&target.number);
        } else {
            self.places.insert(target.number, 0);
        }
        Some(())
    }

    fn wrote(&mut self, arguments: &str, result: &str, at: Option<u64>) -> Option<()> {
        let target = descriptor(arguments)?;
        let Some(path) = self.ours(&target) else {
            return Some(());
        };
        let written: usize = result.split_whitespace().next()?.parse().ok()?;
        let mut bytes = strings(arguments).concat();
        bytes.truncate(written);
        let size = self.sizes.entry(path.clone()).or_default();
        let offset = match (at, self.places.get_mut(&target.number)) {
            (Some(offset), _) => offset,
            (None, Some(place)) => {
                let offset = *place;
                *place += bytes.len() as u64;
                offset
            }
            (None, None) => *size,
        };
        *size = (*size).max(offset + bytes.len() as u64);
        self.ops.push(Op::Write { path, offset, bytes });
        Some(())
    }

    fn renamed(&mut self, arguments: &str) -> Option<()> {
        let mut names = strings(arguments)
            .into_iter()
            .map(|name| PathBuf::from(OsString::from_vec(name)));
        let (from, to) = (names.next()?, names.next()?);
        let (Some(from), Some(to)) = (self.below_root(&from), self.below_root(&to)) else {
            return Some(());
        };
        if let Some(size) = self.sizes.remove(&from) {
            self.sizes.insert(to.clone(), size);
        }
        self.ops.push(Op::Rename { from, to });
        Some(())
    }

    fn ours(&self, descriptor: &Descriptor) -> Option<PathBuf> {
        if descriptor.deleted {
            None
        } else {
            self.below_root(&descriptor.path)
        }
    }

    fn below_root(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }
}

struct Descriptor {
    number: u64,
    path: PathBuf,
    deleted: bool,
}

/// `3<\x2f\x61>`, perhaps followed by `(deleted)`, at the start of `text`.
fn descriptor(text: &str) -> Option<Descriptor> {
    let (number, rest) = text.split_once('<')?;
    let (path, rest) = rest.split_once('>')?;
    Some(Descriptor {
        number: number.trim().parse().ok()?,
        path: PathBuf::from(OsString::from_vec(unescape(path))),
        deleted: rest.starts_with("(deleted)"),
    })
}

/// The contents of all quoted strings. With `-xx` every byte is escaped, so quotes are never part of them.
fn strings(text: &str) -> Vec<Vec<u8>> {
    text.split('"').skip(1).step_by(2).map(unescape).collect()
}

/// `\x61b` is `ab`.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4);
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at..at + 4).and_then(|piece| piece.strip_prefix("\\x"));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// The offset of a pwrite: the last argument, except for pwritev2, whose last are flags.
fn last_number(name: &str, arguments: &str) -> Option<u64> {
    let mut numbers = arguments.trim_end().trim_end_matches(')').rsplit(", ");
    if name == "pwritev2" {
        numbers.next()?;
    }
    numbers.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn what_strace_writes_is_understood() {
        let (f, g, log, dir) = (hex("/d/f"), hex("/d/g"), hex("/d/log"), hex("/d"));
        let trace = format!(
            "10 1.0 openat(AT_FDCWD<{dir}>, \"{f}\", O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0600) = 3<{f}>\n\
             10 1.1 pwrite64(3<{f}>, \"{hello}\", 5, 10) = 5\n\
             11 1.2 fsync(3<{f}> <unfinished ...>\n\
             10 1.3 write(3<{f}>, \"{ab}\", 2) = 2\n\
             11 1.4 <... fsync resumed>) = 0\n\
             10 1.5 ftruncate(3<{f}>, 3) = 0\n\
             10 1.6 sendto(4<{socket}>, \"{ok}\", 4, 0, NULL, 0) = 4\n\
             10 1.7 rename(\"{f}\", \"{g}\") = 0\n\
             10 1.8 openat(AT_FDCWD<{dir}>, \"{log}\", O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0777) = 6<{log}>\n\
             10 1.9 write(6<{log}>, \"{ab}\", 2) = 2\n\
             10 2.0 writev(6<{log}>, [{{iov_base=\"{ab}\", iov_len=2}}, {{iov_base=\"{ok}\", iov_len=4}}], 2) = 5\n\
             10 2.1 fdatasync(7<{dir}>) = 0\n\
             10 2.2 fdatasync(3<{g}>) = -1 EIO (Input/output error)\n\
             10 2.3 unlink(\"{g}\") = 0\n\
             10 2.4 write(3<{g}>(deleted), \"{ab}\", 2) = 2\n\
             10 2.5 pwrite64(9<{elsewhere}>, \"{ab}\", 2, 0) = 2\n\
             10 2.6 --- SIGTERM {{si_signo=SIGTERM}} ---\n\
             10 2.7 +++ exited with 0 +++\n",
            hello = hex("hello"),
            ab = hex("ab"),
            ok = hex("250 "),
            socket = hex("socket:[1]"),
            elsewhere = hex("/elsewhere"),
        );
        let path = |name: &str| PathBuf::from(name);
        let write = |name: &str, offset, bytes: &[u8]| Op::Write {
            path: name.into(),
            offset,
            bytes: bytes.to_vec(),
        };
        let expected = [
            Op::Create { path: path("f") },
            Op::Truncate {
                path: path("f"),
                size_bytes: 0,
            },
            write("f", 10, b"hello"),
            Op::SyncStart {
                token: 1,
                path: path("f"),
            },
            write("f", 0, b"ab"),
            Op::SyncDone { token: 1 },
            Op::Truncate {
                path: path("f"),
                size_bytes: 3,
            },
            Op::Sent {
                bytes: b"250 ".to_vec(),
            },
            Op::Rename {
                from: path("f"),
                to: path("g"),
            },
            Op::Create { path: path("log") },
            write("log", 0, b"ab"),
            write("log", 2, b"ab250"),
            Op::SyncStart {
                token: 2,
                path: path(""),
            },
            Op::SyncDone { token: 2 },
            Op::SyncStart {
                token: 3,
                path: path("g"),
            },
            Op::Unlink { path: path("g") },
        ];
        assert_eq!(
            read_trace(&trace, Path::new("/d"), &Files::new()).unwrap(),
            expected
        );
        let error = read_trace("10 1.0 fsync(x) = 0", Path::new("/d"), &Files::new()).unwrap_err();
        assert!(error.starts_with("line 1 of the trace cannot be read"), "{error}");
    }

    #[test]
    fn a_real_program_is_recorded_and_its_promise_holds_after_every_cut() {
        let Ok(version) = Command::new("strace").arg("-V").output() else {
            eprintln!("skipped: strace is not installed");
            return;
        };
        assert!(version.status.success());
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("f"), b"old").unwrap();
        let base = snapshot(&root).unwrap();
        let trace = dir.path().join("trace");
        // dd writes with write(2) from the start of the file and syncs once at the end.
        let output = format!("of={}", root.join("f").display());
        let arguments = [
            "if=/dev/zero",
            &output,
            "bs=600",
            "count=3",
            "conv=fsync,notrunc",
            "status=none",
        ];
        let status = record(Path::new("/bin/dd"), &arguments, &trace)
            .unwrap()
            .wait()
            .unwrap();
        if !status.success() {
            eprintln!("skipped: strace may not trace here");
            return;
        }
        let recording = Recording::read(&trace, &root, base.clone(), NameRule::WithDirectory).unwrap();
        let end = recording.ops().len();
        assert_eq!(
            recording.disk(end).now(),
            snapshot(&root).unwrap(),
            "the model ends where the real disk does"
        );
        let wanted = vec![0; 1800];
        for seed in 0..50 {
            let into = dir.path().join(format!("cut{seed}"));
            recording.rebuild(end, seed, &into).unwrap();
            assert!(std::fs::read(into.join("f")).unwrap() == wanted, "synced");
        }
        let unsynced = recording
            .ops()
            .iter()
            .position(|op| matches!(op, Op::SyncDone { .. }))
            .unwrap();
        let states: std::collections::BTreeSet<_> = (0..200)
            .map(|seed| recording.disk(unsynced).after_cut(seed)[Path::new("f")].clone())
            .collect();
        assert!(states.contains(b"old".as_slice()) && states.contains(&wanted) && states.len() > 5);
    }
}
