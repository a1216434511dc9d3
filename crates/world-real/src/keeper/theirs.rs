//! The keeper's side.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;

use super::{ANSWER_BYTES, ASKED_BYTES, FileRead, KEYS_KEPT, Reading, wire};

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

/// Answers until the other side is gone. `read` reads everything anew.
pub fn serve(mut line: UnixStream, read: impl Fn() -> Reading) -> io::Result<()> {
    let mut keys = Keys::default();
    while let Some(asked) = wire::receive(&mut line, ASKED_BYTES)? {
        let asked: Vec<&[u8]> = asked.iter().map(Vec::as_slice).collect();
        let answer = match asked.as_slice() {
            [b"read"] => Ok(bundle(&mut keys, read())),
            [b"sign", number, scheme, message] => keys.sign(number, scheme, message).map(|made| vec![made]),
            _ => Err("this is no question".to_owned()),
        };
        match &answer {
            Ok(parts) if parts.iter().map(|part| part.len() + 4).sum::<usize>() < ANSWER_BYTES => {
                let parts: Vec<&[u8]> = std::iter::once(b"ok".as_slice())
                    .chain(parts.iter().map(Vec::as_slice))
                    .collect();
                wire::send(&mut line, &parts)?;
            }
            Ok(_) => wire::send(&mut line, &[b"no", b"the settings name too many large files"])?,
            Err(why) => wire::send(&mut line, &[b"no", why.as_bytes()])?,
        }
    }
    Ok(())
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

    fn sign(&self, number: &[u8], scheme: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
        let wrong = || "this is no question".to_owned();
        let number = u64::from_be_bytes(number.try_into().map_err(|_| wrong())?);
        let scheme = u16::from_be_bytes(scheme.try_into().map_err(|_| wrong())?);
        let (_, key) = self
            .kept
            .iter()
            .find(|(kept, _)| *kept == number)
            .ok_or("that key is not kept any more")?;
        key.choose_scheme(&[SignatureScheme::from(scheme)])
            .ok_or("the key does not sign that way")?
            .sign(message)
            .map_err(|error| error.to_string())
    }
}
