//! The keeper's side.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;

use super::{ANSWER_BYTES, ASKED_BYTES, FileRead, KEYS_KEPT, Reading, wire};

const NO_QUESTION: &str = "this is no question";

/// What TLS may ask a key to sign with, the best first.
const SCHEMES: [SignatureScheme; 9] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// Answers on both lines until the other side is gone: signatures here, files in a thread of their own. `read` reads everything
/// anew.
pub fn serve(
    mut signing: UnixStream,
    mut reading: UnixStream,
    read: impl Fn() -> Reading + Send + 'static,
) -> io::Result<()> {
    let keys = Arc::new(Mutex::new(Keys::default()));
    let signers = keys.clone();
    let reader = std::thread::Builder::new().name("reading".to_owned());
    // It ends with the process: the server closes both lines by its own end.
    drop(reader.spawn(move || answer(&mut reading, |asked| read_files(&keys, asked, &read)))?);
    answer(&mut signing, |asked| sign(&signers, asked))
}

fn answer(
    line: &mut UnixStream,
    answer: impl Fn(&[&[u8]]) -> Result<Vec<Vec<u8>>, String>,
) -> io::Result<()> {
    while let Some(asked) = wire::receive(line, ASKED_BYTES)? {
        let asked: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        let answer = answer(&asked);
        match &answer {
            Ok(parts) if parts.iter().map(|part| part.len() + 4).sum::<usize>() < ANSWER_BYTES => {
                let parts: Vec<&[u8]> = std::iter::once(b"ok".as_slice())
                    .chain(parts.iter().map(Vec::as_slice))
                    .collect();
                wire::send(line, &parts)?;
            }
            Ok(_) => wire::send(line, &[b"no", b"the settings name too many large files"])?,
            Err(why) => wire::send(line, &[b"no", why.as_bytes()])?,
        }
    }
    Ok(())
}

fn read_files(
    keys: &Mutex<Keys>,
    asked: &[&[u8]],
    read: &impl Fn() -> Reading,
) -> Result<Vec<Vec<u8>>, String> {
    match asked {
        [b"read"] => {
            let reading = read();
            Ok(bundle(&mut keys.lock(), reading))
        }
        _ => Err(NO_QUESTION.to_owned()),
    }
}

fn sign(keys: &Mutex<Keys>, asked: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
    match asked {
        [b"sign", number, scheme, message] => {
            let (key, scheme) = keys.lock().find(number, scheme)?;
            let signer = key
                .choose_scheme(&[scheme])
                .ok_or("the key does not sign that way")?;
            Ok(vec![signer.sign(message).map_err(|error| error.to_string())?])
        }
        _ => Err(NO_QUESTION.to_owned()),
    }
}

/// The key's public half first, then for each file its path, what the system said of it, and what is in it.
fn bundle(keys: &mut Keys, reading: Reading) -> Vec<Vec<u8>> {
    let key = match reading.key {
        None => Vec::new(),
        Some(read) => match read.and_then(|pem| keys.add(&pem)) {
            Ok(public) => public,
            Err(why) => wire::pack(&[b"no", why.as_bytes()]),
        },
    };
    std::iter::once(key)
        .chain(reading.files.into_iter().flat_map(told))
        .collect()
}

fn told(file: FileRead) -> [Vec<u8>; 3] {
    let (error, mode, bytes) = match file.read {
        Ok(contents) => (0, contents.mode, contents.bytes),
        Err(error) => (error, 0, Vec::new()),
    };
    let facts = wire::pack(&[&error.to_be_bytes(), &mode.to_be_bytes()]);
    [file.path.as_os_str().as_bytes().to_vec(), facts, bytes]
}

#[derive(Default)]
struct Keys {
    last: u64,
    kept: VecDeque<(u64, Arc<dyn SigningKey>)>,
}

impl Keys {
    /// Keeps a key and gives what may be known of it.
    fn add(&mut self, pem: &[u8]) -> Result<Vec<u8>, String> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
            format!("the key file has no usable private key (PEM, not encrypted): {error}")
        })?;
        let key = rustls::crypto::ring::default_provider()
            .key_provider
            .load_private_key(der)
            .map_err(|error| format!("the private key is of a kind that cannot be used: {error}"))?;
        let public = key.public_key().map(|public| public.to_vec()).unwrap_or_default();
        let schemes: Vec<u8> = SCHEMES
            .into_iter()
            .filter(|scheme| key.choose_scheme(&[*scheme]).is_some())
            .flat_map(|scheme| u16::from(scheme).to_be_bytes())
            .collect();
        let algorithm = [u8::from(key.algorithm())];
        self.last += 1;
        self.kept.push_back((self.last, key));
        if self.kept.len() > KEYS_KEPT {
            self.kept.pop_front();
        }
        let number = self.last.to_be_bytes();
        Ok(wire::pack(&[b"ok", &number, &algorithm, &schemes, &public]))
    }

    fn find(&self, number: &[u8], scheme: &[u8]) -> Result<(Arc<dyn SigningKey>, SignatureScheme), String> {
        let number = u64::from_be_bytes(number.try_into().map_err(|_| NO_QUESTION)?);
        let scheme = u16::from_be_bytes(scheme.try_into().map_err(|_| NO_QUESTION)?);
        let found = self.kept.iter().find(|(kept, _)| *kept == number);
        let (_, key) = found.ok_or("that key is not kept any more")?;
        Ok((key.clone(), SignatureScheme::from(scheme)))
    }
}
