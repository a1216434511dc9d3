//! The folders of a reader: INBOX, Archive, and a tree (parent, child, grandchild) that RENAME moves as a whole. After a crash the
//! tree has its old root or its new one, whole; never both, never neither, never a part of each (DUR-5).

use crate::campaign::imap_client::Imap;

/// Folders of each reader.
pub(super) const FOLDERS: usize = 5;
/// Roots that the tree may have; the last lies below a folder that RENAME must make first.
pub(super) const ROOTS: [&str; 3] = ["Tree-a", "Tree-b", "Attic/Tree"];
/// What the tree consists of, below its root.
const NODES: [&str; 3] = ["", "/Child", "/Child/Leaf"];

/// A folder's name while the tree has this root.
pub(super) fn name(root: usize, folder: usize) -> String {
    match folder {
        0 => "INBOX".to_owned(),
        1 => "Archive".to_owned(),
        node => format!("{}{}", ROOTS[root], NODES[node - 2]),
    }
}

/// Makes the tree below the first root.
pub(super) fn plant(imap: &mut Imap) -> std::io::Result<()> {
    for node in NODES {
        imap.command(&format!("CREATE {}{node}", ROOTS[0]))?.or_error()?;
    }
    Ok(())
}

/// All folders that the server lists and that can be opened.
pub(super) fn listed(imap: &mut Imap) -> std::io::Result<Vec<String>> {
    let answer = imap.command("LIST \"\" *")?.or_error()?;
    Ok(answer
        .untagged
        .iter()
        .filter(|line| {
            !["\\Noselect", "\\NonExistent"]
                .iter()
                .any(|attribute| line.text.contains(attribute))
        })
        .filter_map(|line| Some(line.text.rsplit_once(' ')?.1.trim_matches('"').to_owned()))
        .collect())
}

/// Which root the tree has; `before` was acknowledged, `under_way` was not.
pub(super) fn root(listed: &[String], before: usize, under_way: Option<usize>) -> Result<usize, String> {
    let count = |root: &&str| {
        let is_there = |node: &&&str| listed.contains(&format!("{root}{node}"));
        NODES.iter().filter(is_there).count()
    };
    let counts: Vec<usize> = ROOTS.iter().map(count).collect();
    let whole = counts.iter().position(|count| *count == NODES.len());
    match whole {
        Some(root) if counts.iter().sum::<usize>() > NODES.len() => Err(format!(
            "a rename left more than the tree below {}: {listed:?}",
            ROOTS[root]
        )),
        Some(root) if root == before || Some(root) == under_way => Ok(root),
        Some(root) => Err(format!(
            "an acknowledged rename to {} is lost, the tree is {}",
            ROOTS[before], ROOTS[root]
        )),
        None if counts.iter().all(|count| *count == 0) => Err("the whole tree is lost".to_owned()),
        None => Err(format!("a rename left the tree in pieces: {listed:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dur_5_a_tree_is_whole_and_once() {
        let tree = |root: usize| -> Vec<String> { (2..FOLDERS).map(|folder| name(root, folder)).collect() };
        let join = |one: &[String], two: &[String]| [one, two].concat();
        let (old, new, third) = (tree(0), tree(1), tree(2));
        let cases: [(Vec<String>, Option<usize>, Result<usize, &str>); 8] = [
            (old.clone(), None, Ok(0)),
            (old.clone(), Some(1), Ok(0)),
            (new.clone(), Some(1), Ok(1)),
            (new.clone(), None, Err("acknowledged")),
            (third, Some(1), Err("acknowledged")),
            (join(&old[..2], &new[2..]), Some(1), Err("in pieces")),
            (join(&old, &new[..1]), Some(1), Err("more than the tree")),
            (vec![], Some(1), Err("is lost")),
        ];
        for (listed, under_way, wanted) in cases {
            let got = root(&listed, 0, under_way);
            match (&got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(*got, wanted),
                (Err(got), Err(wanted)) => assert!(got.contains(wanted), "{got}"),
                _ => panic!("{listed:?}: {got:?}, not {wanted:?}"),
            }
        }
    }
}
