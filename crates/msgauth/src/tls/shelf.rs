//! Small files that are written whole: where they are kept is the caller's door ([`Shelf`]); how one is known to be whole is decided
//! here. The first line has the format and the SHA-256 of the rest, so that what a bad disk or an interrupted write leaves is seen.

use std::io;

use serde::{Serialize, de::DeserializeOwned};

/// What the first line begins with; another version is not read.
const MARK: &str = "hearthpost-tls 1 ";

/// Where small files are kept. Calls may block.
pub trait Shelf: Send + Sync + 'static {
    /// The content; nothing when there is no such file.
    ///
    /// # Errors
    /// The disk refuses.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the content: after a crash it is the old one or the new one, whole.
    ///
    /// # Errors
    /// The disk refuses; the old content is still there.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Puts a file out of the way under another name, for somebody to look at.
    ///
    /// # Errors
    /// The disk refuses.
    fn set_aside(&self, name: &str) -> io::Result<()>;

    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// The disk refuses.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no order.
    ///
    /// # Errors
    /// The disk refuses.
    fn names(&self) -> io::Result<Vec<String>>;
}

/// A value as the content of a file.
pub fn seal(value: &impl Serialize) -> Vec<u8> {
    let text = serde_json::to_vec(value).expect("plain values are always JSON");
    let mut content = format!("{MARK}{}\n", digest(&text)).into_bytes();
    content.extend_from_slice(&text);
    content
}

/// A value from the content of a file; `None` when it is not what was written.
pub fn open<T: DeserializeOwned>(content: &[u8]) -> Option<T> {
    let end = memchr::memchr(b'\n', content)?;
    let (first, text) = (&content[..end], &content[end + 1..]);
    let expected = format!("{MARK}{}", digest(text));
    if first != expected.as_bytes() {
        return None;
    }
    serde_json::from_slice(text).ok()
}

fn digest(text: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, text);
    sum.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// A shelf in memory, whose disk may refuse.
    #[derive(Default)]
    pub struct MemoryShelf {
        pub files: Mutex<BTreeMap<String, Vec<u8>>>,
        pub refuses: Mutex<bool>,
    }

    impl MemoryShelf {
        pub fn new() -> Arc<Self> {
            Arc::default()
        }

        fn asked(&self) -> io::Result<()> {
            match *self.refuses.lock() {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    impl Shelf for MemoryShelf {
        fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(self.files.lock().get(name).cloned())
        }

        fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
            self.asked()?;
            self.files.lock().insert(name.to_owned(), content.to_vec());
            Ok(())
        }

        fn set_aside(&self, name: &str) -> io::Result<()> {
            let mut files = self.files.lock();
            if let Some(content) = files.remove(name) {
                files.insert(format!("{name}.damaged"), content);
            }
            Ok(())
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.files.lock().remove(name);
            Ok(())
        }

        fn names(&self) -> io::Result<Vec<String>> {
            Ok(self.files.lock().keys().cloned().collect())
        }
    }

    #[test]
    fn what_was_written_comes_back_and_a_flipped_bit_is_seen() {
        let value = vec!["a".to_owned(), "\u{e9}\n".to_owned()];
        let content = seal(&value);
        assert_eq!(open::<Vec<String>>(&content), Some(value));
        for at in 0..content.len() {
            let mut other = content.clone();
            other[at] ^= 1;
            assert_eq!(open::<Vec<String>>(&other), None, "octet {at}");
            assert_eq!(open::<Vec<String>>(&content[..at]), None, "cut at {at}");
        }
    }
}
