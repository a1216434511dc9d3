//! Where the shared test material is. It is not part of the repository: absent, the tests say so and skip.

use std::path::PathBuf;

/// The folder `name` of the shared material: below `$HEARTHPOST_SHARED`, else below `../shared` beside the repository.
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("HEARTHPOST_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is absent", folder.display());
    None
}
