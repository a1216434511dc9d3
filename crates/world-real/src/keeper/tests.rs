use std::os::unix::net::UnixStream;
use std::path::Path;

use proptest::prelude::*;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::sign::SigningKey;

use super::*;
use crate::tls::Identity;

/// A keeper in a thread instead of a process.
fn keeper(read: impl Fn() -> Reading + Send + 'static) -> Keeper {
    let (signing, their_signing) = UnixStream::pair().unwrap();
    let (reading, their_reading) = UnixStream::pair().unwrap();
    std::thread::spawn(move || serve(their_signing, their_reading, read));
    Keeper::over(signing, reading).unwrap()
}

fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["mail.example.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn nothing() -> Reading {
    Reading {
        files: Vec::new(),
        key: None,
    }
}

#[test]
fn files_come_as_they_were_read_and_errors_as_the_system_said_them() {
    let keeper = keeper(|| Reading {
        files: vec![
            FileRead {
                path: "/a".into(),
                read: Ok(Contents {
                    bytes: b"text\0".to_vec(),
                    mode: 0o100_640,
                }),
            },
            FileRead {
                path: "/b".into(),
                read: Err(13),
            },
        ],
        key: Some(Err("no key".to_owned())),
    });
    let bundle = keeper.read().unwrap();
    let a = bundle.contents(Path::new("/a")).unwrap();
    assert_eq!((a.bytes.as_slice(), a.mode), (b"text\0".as_slice(), 0o100_640));
    let error = |path: &str| bundle.contents(Path::new(path)).unwrap_err().kind();
    assert_eq!(error("/b"), std::io::ErrorKind::PermissionDenied);
    assert_eq!(error("/c"), std::io::ErrorKind::NotFound);
    assert_eq!(bundle.key.unwrap().unwrap_err(), "no key");
}

#[test]
fn ops_2_the_key_signs_over_there_and_never_comes_here() {
    let (chain, key) = made();
    let held = key.clone();
    let keeper = keeper(move || Reading {
        files: Vec::new(),
        key: Some(Ok(held.clone().into_bytes())),
    });
    let kept = keeper.read().unwrap().key.unwrap().unwrap();
    let secret = key.lines().nth(1).unwrap().as_bytes();
    assert!(
        !format!("{kept:?}")
            .into_bytes()
            .windows(secret.len())
            .any(|part| part == secret)
    );
    let signer = kept
        .choose_scheme(&[
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ])
        .unwrap();
    let signature = signer.sign(b"a transcript").unwrap();
    let der =
        <CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(chain.as_bytes()).unwrap();
    let certificate = webpki::EndEntityCert::try_from(&der).unwrap();
    let verified = |message: &[u8]| {
        certificate
            .verify_signature(webpki::ring::ECDSA_P256_SHA256, message, &signature)
            .is_ok()
    };
    assert!(verified(b"a transcript") && !verified(b"another"));
    assert!(kept.choose_scheme(&[SignatureScheme::ED25519]).is_none());
    assert!(Identity::kept::<&str>(&[], chain.as_bytes(), &kept).is_ok());
    let other = made().0;
    assert!(
        Identity::kept::<&str>(&[], other.as_bytes(), &kept).is_err(),
        "a key of another certificate"
    );
}

#[test]
fn older_keys_sign_until_there_are_too_many_newer_ones() {
    let key = made().1;
    let keeper = keeper(move || Reading {
        files: Vec::new(),
        key: Some(Ok(key.clone().into_bytes())),
    });
    let oldest = keeper.read().unwrap().key.unwrap().unwrap();
    let sign = || {
        oldest
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .unwrap()
            .sign(b"x")
    };
    for _ in 1..KEYS_KEPT {
        keeper.read().unwrap();
        sign().unwrap();
    }
    keeper.read().unwrap();
    assert!(sign().unwrap_err().to_string().contains("not kept any more"));
}

#[test]
fn what_is_no_question_is_refused_and_the_next_one_is_answered() {
    let (mut signing, their_signing) = UnixStream::pair().unwrap();
    let (mut reading, their_reading) = UnixStream::pair().unwrap();
    std::thread::spawn(move || serve(their_signing, their_reading, nothing));
    let ask = |line: &mut UnixStream, asked: &[&[u8]]| {
        wire::send(line, asked).unwrap();
        wire::receive(line, 100).unwrap().unwrap()
    };
    let no = [b"no".to_vec(), b"this is no question".to_vec()];
    for asked in [
        vec![b"key".as_slice()],
        vec![],
        vec![b"sign", b"1", b"22", b"m"],
        vec![b"read"],
    ] {
        assert_eq!(ask(&mut signing, &asked), no);
    }
    assert_eq!(ask(&mut reading, &[b"sign", b"1", b"22", b"m"]), no);
    assert_eq!(ask(&mut reading, &[b"read"])[0], b"ok");
}

#[test]
fn a_signature_does_not_wait_for_a_slow_disk() {
    let key = made().1;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = parking_lot::Mutex::new((wait, false));
    let keeper = keeper(move || {
        let mut wait = wait.lock();
        if wait.1 {
            wait.0.recv().unwrap();
        }
        wait.1 = true;
        Reading {
            files: Vec::new(),
            key: Some(Ok(key.clone().into_bytes())),
        }
    });
    let kept = keeper.read().unwrap().key.unwrap().unwrap();
    let slow = std::thread::spawn(move || keeper.read().is_ok());
    let signer = kept
        .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
        .unwrap();
    signer.sign(b"meanwhile").unwrap();
    go.send(()).unwrap();
    assert!(slow.join().unwrap());
}

#[test]
fn a_keeper_that_is_gone_is_an_error_and_stays_one() {
    let [ours, more] = [(); 2].map(|()| UnixStream::pair().unwrap().0);
    let keeper = Keeper::over(ours, more).unwrap();
    assert!(keeper.read().is_err());
    assert!(keeper.read().is_err());
}

#[test]
fn a_frame_over_the_limit_is_not_read() {
    let long = [&100_u32.to_be_bytes()[..], &[0; 100]].concat();
    assert!(wire::receive(&mut long.as_slice(), 99).is_err());
    assert!(wire::receive(&mut long[..50].as_ref(), 200).is_err());
    assert_eq!(wire::receive(&mut [].as_slice(), 99).unwrap(), None);
}

proptest! {
    #[test]
    fn parts_come_out_as_they_went_in(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6)) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(wire::unpack(&wire::pack(&slices)), Some(parts));
    }

    #[test]
    fn any_octets_are_parts_or_not(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Some(parts) = wire::unpack(&bytes) {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(wire::pack(&slices), bytes);
        }
    }
}
