//! The server's side.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use tokio::sync::oneshot;

use super::{ANSWER_BYTES, Bundle, Contents, FileRead, wire};

/// How long the keeper may take for a signature. It takes it less than a millisecond.
const TO_SIGN: Duration = Duration::from_secs(10);
/// How long it may take to read files, which may lie on a slow disk or a network.
const TO_READ: Duration = Duration::from_secs(60);

/// Stack of the thread that waits for the keeper's end.
const WATCH_STACK_BYTES: usize = 64 * 1024;

/// The server's lines to its keeper: signatures never wait for files.
#[derive(Debug, Clone)]
pub struct Keeper {
    signing: Line,
    reading: Line,
}

#[derive(Debug, Clone)]
struct Line(Arc<Mutex<UnixStream>>);

/// Tells of the keeper's end.
#[derive(Debug)]
pub struct Pulse(Child);

impl Keeper {
    /// Starts this program again with `args`; the variable `keep` of the environment is all it gets of ours. It is in a
    /// process group of its own: an interrupt from the terminal is for the server alone.
    pub fn spawn<A: AsRef<OsStr>>(args: &[A], keep: &str) -> io::Result<(Self, Pulse)> {
        let (signing, their_signing) = UnixStream::pair()?;
        let (reading, their_reading) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("hearthpost")
            .args(args)
            .env_clear()
            .envs(std::env::var_os(keep).map(|value| (keep.to_owned(), value)))
            .current_dir("/")
            .stdin(OwnedFd::from(their_signing))
            .stdout(OwnedFd::from(their_reading))
            .process_group(0);
        let child = command.spawn()?; // it ends with its lines
        Ok((Self::over(signing, reading)?, Pulse(child)))
    }

    /// With a keeper at the other end of both lines.
    pub(super) fn over(signing: UnixStream, reading: UnixStream) -> io::Result<Self> {
        Ok(Self {
            signing: Line::new(signing, TO_SIGN)?,
            reading: Line::new(reading, TO_READ)?,
        })
    }

    /// Has everything read anew. Blocks for as long as the disk does.
    pub fn read(&self) -> io::Result<Bundle> {
        let mut parts = self.reading.ask(&[b"read"])?.into_iter();
        let key = parts.next().ok_or_else(garbled)?;
        let key = if key.is_empty() {
            None
        } else {
            Some(self.key(&key)?)
        };
        let mut files = Vec::new();
        while let (Some(path), Some(facts), Some(bytes)) = (parts.next(), parts.next(), parts.next()) {
            files.push(file(path, &facts, bytes).ok_or_else(garbled)?);
        }
        Ok(Bundle { files, key })
    }

    fn key(&self, told: &[u8]) -> io::Result<Result<KeptKey, String>> {
        let parts = wire::unpack(told).ok_or_else(garbled)?;
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        match parts.as_slice() {
            [b"no", why] => Ok(Err(String::from_utf8_lossy(why).into_owned())),
            [b"ok", number, [algorithm], schemes, public] => {
                let (schemes, _) = schemes.as_chunks::<2>();
                Ok(Ok(KeptKey {
                    line: self.signing.clone(),
                    number: u64::from_be_bytes((*number).try_into().map_err(|_| garbled())?),
                    algorithm: SignatureAlgorithm::from(*algorithm),
                    schemes: schemes
                        .iter()
                        .map(|scheme| SignatureScheme::from(u16::from_be_bytes(*scheme)))
                        .collect(),
                    public: public.to_vec(),
                }))
            }
            _ => Err(garbled()),
        }
    }
}

impl Line {
    fn new(line: UnixStream, patience: Duration) -> io::Result<Self> {
        line.set_read_timeout(Some(patience))?;
        line.set_write_timeout(Some(patience))?;
        Ok(Self(Arc::new(Mutex::new(line))))
    }

    /// The parts of a good answer.
    fn ask(&self, parts: &[&[u8]]) -> io::Result<Vec<Vec<u8>>> {
        let mut line = self.0.lock();
        let asked = wire::send(&mut *line, parts).and_then(|()| wire::receive(&mut *line, ANSWER_BYTES));
        let answered = asked.inspect_err(|_| {
            // A late answer must not be taken for that to the next question.
            let _ = line.shutdown(std::net::Shutdown::Both);
        });
        let mut answer = answered?.ok_or(io::ErrorKind::BrokenPipe)?;
        match answer.first().map(Vec::as_slice) {
            Some(b"ok") => Ok(answer.split_off(1)),
            Some(b"no") => Err(io::Error::other(
                String::from_utf8_lossy(answer.get(1).map_or(&[], Vec::as_slice)).into_owned(),
            )),
            _ => Err(garbled()),
        }
    }
}

impl Pulse {
    /// Waits for the keeper's end, in a small thread of its own.
    pub async fn lost(self) -> io::Result<()> {
        let Self(mut keeper) = self;
        let (told, ended) = oneshot::channel();
        let watch = std::thread::Builder::new().name("keeper-watch".to_owned());
        watch.stack_size(WATCH_STACK_BYTES).spawn(move || {
            let _ = told.send(keeper.wait()); // nobody listens any more when the server has ended before
        })?;
        ended.await.map_or(Ok(()), |waited| waited.map(drop))
    }
}

fn file(path: Vec<u8>, facts: &[u8], bytes: Vec<u8>) -> Option<FileRead> {
    let facts = wire::unpack(facts)?;
    let [error, mode] = facts.as_slice() else {
        return None;
    };
    let error = i32::from_be_bytes(error.as_slice().try_into().ok()?);
    let mode = u32::from_be_bytes(mode.as_slice().try_into().ok()?);
    Some(FileRead {
        path: PathBuf::from(OsString::from_vec(path)),
        read: if error == 0 {
            Ok(Contents { bytes, mode })
        } else {
            Err(error)
        },
    })
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the keeper's answer is garbled")
}

/// A key whose private half the keeper has.
#[derive(Debug, Clone)]
pub(crate) struct KeptKey {
    line: Line,
    number: u64,
    algorithm: SignatureAlgorithm,
    schemes: Vec<SignatureScheme>,
    public: Vec<u8>,
}

impl SigningKey for KeptKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.schemes.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(KeptSigner {
            line: self.line.clone(),
            number: self.number,
            scheme: *scheme,
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        (!self.public.is_empty()).then(|| SubjectPublicKeyInfoDer::from(self.public.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

#[derive(Debug)]
struct KeptSigner {
    line: Line,
    number: u64,
    scheme: SignatureScheme,
}

impl Signer for KeptSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let scheme = u16::from(self.scheme).to_be_bytes();
        let asked: [&[u8]; 4] = [b"sign", &self.number.to_be_bytes(), &scheme, message];
        let answered = self.line.ask(&asked);
        let made = answered.map_err(|error| Error::General(format!("the keeper of the key: {error}")))?;
        made.into_iter()
            .next()
            .ok_or_else(|| Error::General("the keeper of the key made nothing".to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
