//! The key behind the return addresses of forwarded mail: `<data>/forward.key`, 64 hexadecimal digits, readable by its owner
//! alone. Made at the first start. Whoever removes it makes reports about mail that was forwarded before go nowhere, and URLs that people
//! authorized (URLAUTH) worthless.

use std::io;
use std::path::Path;

use directory::SrsKey;
use world::chance::Chance;

use crate::exit::{Failure, Outcome};
use crate::private_file;

/// The file's name.
const FILE: &str = "forward.key";

/// Reads the key, or makes it. The caller owns the data directory (it has opened the store).
pub fn provide(data: &Path, chance: &dyn Chance) -> Outcome<SrsKey> {
    let path = data.join(FILE);
    let failed = |verb: &str, error: &io::Error| {
        Failure::Disk(format!(
            "{} cannot be {verb}: {error}. Check the directory's owner and its free space.",
            path.display()
        ))
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => octets(text.trim()).map(|octets| SrsKey::new(&octets)).ok_or_else(|| {
            Failure::Disk(format!(
                "{} does not hold 64 hexadecimal digits. Restore it, or remove it to have a new one made.",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut octets = [0; 32];
            chance.fill(&mut octets);
            write(&path, &octets).map_err(|error| failed("written", &error))?;
            Ok(SrsKey::new(&octets))
        }
        Err(error) => Err(failed("read", &error)),
    }
}

/// Mail leaves under it in a moment, and its reports come back for days: it is durable before it is used.
fn write(path: &Path, octets: &[u8; 32]) -> io::Result<()> {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    private_file::write(path, format!("{digits}\n").as_bytes())
}

fn octets(digits: &str) -> Option<[u8; 32]> {
    let right = digits.len() == 64 && digits.is_ascii();
    let octet = |place: usize| u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok();
    let octets: Vec<u8> = right
        .then(|| (0..32).map(octet).collect::<Option<_>>())
        .flatten()?;
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use mail::address::{Domain, Mailbox};
    use testkit::chance::SeededChance;
    use world::clock::UnixMs;

    use super::*;

    #[test]
    fn ops_3_the_key_is_made_once_and_nobody_else_reads_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let made = |seed| {
            let key = provide(dir.path(), &SeededChance::new(seed)).expect("a key");
            let sender: Mailbox = "alice@example.com".parse().expect("an address");
            let domain = Domain::parse("example.org").expect("a domain");
            key.rewrite(&sender, &domain, UnixMs(0)).expect("short")
        };
        assert_eq!(made(1), made(2));
        let mode = std::fs::metadata(dir.path().join(FILE))
            .expect("the file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(FILE), "nonsense").expect("written");
        let said = provide(dir.path(), &SeededChance::new(1))
            .expect_err("not a key")
            .to_string();
        assert!(said.contains("64 hexadecimal digits"), "{said}");
    }
}
