//! DKIM keys of a story's hosts, made by openssl, with the records that publish them.

use crate::process;
use crate::report::Outcome;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const CALL_LIMIT: Duration = Duration::from_secs(60);
/// The selector of everybody's RSA key.
pub const SELECTOR: &str = "story";
/// The selector of an Ed25519 key.
const SELECTOR_ED25519: &str = "story-ed";
/// Octets of one string of a TXT record (RFC 1035 §3.3.14).
const STRING_BYTES: usize = 255;

/// One key of a domain.
pub struct Key {
    /// its file (PKCS#8, PEM), named after the record as our own settings want it
    pub path: PathBuf,
    /// the record, as a zone file has it
    pub record: String,
}

/// An RSA key, which everybody can check, and where `both` an Ed25519 key too.
pub fn make(domain: &str, both: bool, dir: &Path) -> Outcome<Vec<Key>> {
    std::fs::create_dir_all(dir)?;
    let rsa: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let mut keys = vec![one(domain, SELECTOR, "rsa", rsa, dir)?];
    if both {
        keys.push(one(
            domain,
            SELECTOR_ED25519,
            "ed25519",
            &["-algorithm", "ed25519"],
            dir,
        )?);
    }
    Ok(keys)
}

/// In hexadecimal digits, by openssl.
pub fn sha256(octets: &[u8], dir: &Path) -> Outcome<String> {
    let file = dir.join("to-hash");
    std::fs::write(&file, octets)?;
    let said = process::must(
        Command::new("openssl").args(["dgst", "-sha256", "-r"]).arg(&file),
        CALL_LIMIT,
    )?;
    let digest = said.stdout.split_whitespace().next();
    Ok(digest.ok_or("openssl said nothing")?.to_owned())
}

fn one(domain: &str, selector: &str, kind: &str, how: &[&str], dir: &Path) -> Outcome<Key> {
    let name = format!("{selector}._domainkey.{domain}");
    let path = dir.join(format!("{name}.pem"));
    process::must(
        Command::new("openssl")
            .arg("genpkey")
            .args(how)
            .arg("-out")
            .arg(&path),
        CALL_LIMIT,
    )?;
    let said = process::must(
        Command::new("openssl")
            .args(["pkey", "-pubout", "-in"])
            .arg(&path),
        CALL_LIMIT,
    )?;
    let info = bare(&said.stdout);
    let public = if kind == "ed25519" {
        raw_ed25519(&info)?
    } else {
        info
    };
    Ok(Key {
        path,
        record: format!(
            "{name}. TXT {}",
            strings(&format!("v=DKIM1; k={kind}; p={public}"))
        ),
    })
}

/// The base64 of a PEM file.
fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The key alone, without the frame that says what it is (RFC 8463 §4, RFC 8410 §4: the last 32 octets).
fn raw_ed25519(info: &str) -> Outcome<String> {
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD;
    let der = engine.decode(info)?;
    let start = der.len().checked_sub(32).ok_or("an Ed25519 key is longer")?;
    Ok(engine.encode(&der[start..]))
}

/// A text as the strings of a TXT record.
fn strings(text: &str) -> String {
    let parts: Vec<String> = text
        .as_bytes()
        .chunks(STRING_BYTES)
        .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_has_several_strings() {
        assert_eq!(strings("v=DKIM1"), "\"v=DKIM1\"");
        let long = strings(&"x".repeat(300));
        assert_eq!(long, format!("\"{}\" \"{}\"", "x".repeat(255), "x".repeat(45)));
    }

    #[test]
    fn an_ed25519_key_stands_in_dns_without_its_frame() {
        let info = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert_eq!(
            raw_ed25519(info).unwrap(),
            "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
        );
        assert!(raw_ed25519("AAAA").is_err());
    }
}
