//! Where the memory about other domains' TLS is on disk: `<data>/tls`, each file replaced as a whole (written beside, synced, renamed).

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use msgauth::tls::shelf::Shelf;

use crate::private_file;

/// The directory within the data directory.
const DIR: &str = "tls";
/// What a file is called until it is whole. No file of the memory ends like this.
const BESIDE: &str = "new";

/// The directory.
pub struct TlsShelf(PathBuf);

impl TlsShelf {
    /// Makes the directory, if there is none.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open(data: &Path) -> io::Result<Self> {
        let dir = data.join(DIR);
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => File::open(data)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(Self(dir))
    }
}

impl Shelf for TlsShelf {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.0.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let beside = self.0.join(format!("{name}.{BESIDE}"));
        private_file::write_by(&beside, &self.0.join(name), content)
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        std::fs::rename(self.0.join(name), self.0.join(format!("{name}.damaged")))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_replaced_whole_and_are_for_the_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let shelf = TlsShelf::open(data.path()).unwrap();
        assert_eq!(shelf.read("a.json").unwrap(), None);
        shelf.write("a.json", b"one").unwrap();
        shelf.write("a.json", b"two").unwrap();
        let again = TlsShelf::open(data.path()).unwrap();
        assert_eq!(again.read("a.json").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(again.names().unwrap(), ["a.json"]);
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        let dir = data.path().join(DIR);
        assert_eq!((mode(dir.clone()), mode(dir.join("a.json"))), (0o700, 0o600));
        again.set_aside("a.json").unwrap();
        assert_eq!(again.names().unwrap(), ["a.json.damaged"]);
        again.remove("a.json.damaged").unwrap();
        again.remove("a.json.damaged").unwrap();
        assert_eq!(again.names().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_a_crash_leaves_beside_a_file_does_no_harm() {
        let data = tempfile::tempdir().unwrap();
        let shelf = TlsShelf::open(data.path()).unwrap();
        shelf.write("a.json", b"one").unwrap();
        std::fs::write(data.path().join(DIR).join("a.json.new"), b"tw").unwrap();
        assert_eq!(shelf.read("a.json").unwrap().as_deref(), Some(&b"one"[..]));
        shelf.write("a.json", b"two").unwrap();
        assert_eq!(shelf.names().unwrap(), ["a.json"]);
    }
}
