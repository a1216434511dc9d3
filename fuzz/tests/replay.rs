//! Feeds the kept corpus to its targets, and a few thousand mutations of it: what was found once stays found.

use fuzz::TARGETS;
use fuzz::mutate::Mutator;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("every target has a corpus; {}: {error}", dir.display()))
        .map(|entry| entry.expect("the corpus can be listed").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), std::fs::read(file).expect("the corpus can be read")))
        .collect()
}

#[test]
fn mim_7_the_kept_corpus_of_every_target_passes() {
    for (target, entry) in TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{target} has an empty corpus");
        for (file, input) in inputs {
            // The name is the last line printed before a crash.
            println!("{}", file.display());
            entry(&input);
        }
    }
}

#[test]
fn mim_7_mutations_of_the_corpus_pass() {
    for (target, entry) in TARGETS {
        let inputs: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let mut mutator = Mutator::new(1);
        for _ in 0..500 {
            entry(&mutator.input(&inputs));
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_string_lossy();
        assert!(fuzz::entry(&name).is_some(), "corpus {name} belongs to no target");
    }
}
