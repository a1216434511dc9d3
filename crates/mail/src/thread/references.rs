//! THREAD=REFERENCES (RFC 5256 §3): its six steps, one function each.

use std::collections::HashMap;

use super::{Forest, Node, Threads};
use crate::limits::THREAD_STEPS_PER_NODE;

/// A node: below the count of messages it is the message of that number, above it stands for a message that is not here.
type Id = u32;
const NONE: Id = Id::MAX;

pub(super) fn forest(threads: &Threads) -> Forest {
    let links = Links::of(threads);
    let mut tree = Tree::of(threads, &links.parents);
    tree.sort_roots();
    tree.gather_subjects();
    tree.sort_all();
    tree.into_forest()
}

/// Step 1: who is whose parent.
struct Links {
    parents: Vec<Id>,
    /// how many children each has; who has none can be put anywhere without a loop
    children: Vec<u32>,
    steps_left: u64,
}

impl Links {
    fn of(threads: &Threads) -> Self {
        let (nodes, count) = nodes(threads);
        let mut links = Self {
            parents: vec![NONE; count],
            children: vec![0; count],
            steps_left: THREAD_STEPS_PER_NODE * (count as u64 + 1),
        };
        let mut from = 0;
        for (at, message) in threads.messages.iter().enumerate() {
            let references = &threads.references[from..message.references_end];
            from = message.references_end;
            links.link_message(at as Id, references.iter().map(|&name| nodes[name as usize]));
        }
        links
    }

    fn link_message(&mut self, message: Id, references: impl Iterator<Item = Id>) {
        // Step 1.A: each reference is the parent of the next, unless that has a parent already.
        let mut last = NONE;
        for reference in references {
            if last != NONE && self.parents[reference as usize] == NONE {
                self.link(last, reference);
            }
            last = reference;
        }
        // Step 1.B: the last is the parent of the message, whatever truncated References of others said.
        self.cut(message);
        if last != NONE {
            self.link(last, message);
        }
    }

    fn cut(&mut self, child: Id) {
        let parent = std::mem::replace(&mut self.parents[child as usize], NONE);
        if parent != NONE {
            self.children[parent as usize] -= 1;
        }
    }

    /// Links two, the child of which has no parent, unless that makes a loop or finding out takes too long.
    fn link(&mut self, parent: Id, child: Id) {
        if self.is_above(child, parent) {
            return;
        }
        self.parents[child as usize] = parent;
        self.children[parent as usize] += 1;
    }

    /// Whether `above` is `below` or an ancestor of it; also true when the steps are used up.
    fn is_above(&mut self, above: Id, below: Id) -> bool {
        if above == below {
            return true;
        }
        if self.children[above as usize] == 0 {
            return false;
        }
        let mut at = below;
        while at != NONE {
            let Some(left) = self.steps_left.checked_sub(1) else {
                return true;
            };
            self.steps_left = left;
            if at == above {
                return true;
            }
            at = self.parents[at as usize];
        }
        false
    }
}

/// The node of each identifier, and how many nodes there are. A second message of the same identifier is as if it had none
/// (RFC 5256 §3).
fn nodes(threads: &Threads) -> (Vec<Id>, usize) {
    let mut nodes = vec![NONE; threads.names];
    for (at, message) in threads.messages.iter().enumerate() {
        if let Some(id) = message.id
            && nodes[id as usize] == NONE
        {
            nodes[id as usize] = at as Id;
        }
    }
    let mut count = threads.messages.len();
    for node in nodes.iter_mut().filter(|node| **node == NONE) {
        *node = count as Id;
        count += 1;
    }
    (nodes, count)
}

/// Steps 2 to 6: everybody's children. All children are messages; nodes without one are only at the top.
struct Tree<'t> {
    threads: &'t Threads,
    children: Vec<Vec<Id>>,
    roots: Vec<Id>,
}

impl<'t> Tree<'t> {
    /// Steps 2 and 3: a node without a message gives its children to the nearest message above it; at the top, one that has several
    /// keeps them.
    fn of(threads: &'t Threads, parents: &[Id]) -> Self {
        let mut below: Vec<Vec<Id>> = vec![Vec::new(); parents.len()];
        let mut tops = Vec::new();
        for (child, &parent) in parents.iter().enumerate() {
            match parent {
                NONE => tops.push(child as Id),
                parent => below[parent as usize].push(child as Id),
            }
        }
        let children = vec![Vec::new(); parents.len()];
        let mut tree = Self {
            threads,
            children,
            roots: Vec::new(),
        };
        for top in tops {
            tree.plant(top, &below);
        }
        tree
    }

    fn plant(&mut self, top: Id, below: &[Vec<Id>]) {
        let mut visits: Vec<(Id, Id)> = below[top as usize].iter().map(|&child| (top, child)).collect();
        while let Some((above, node)) = visits.pop() {
            let mut next = above;
            if self.is_message(node) {
                self.children[above as usize].push(node);
                next = node;
            }
            visits.extend(below[node as usize].iter().map(|&child| (next, child)));
        }
        match self.children[top as usize].as_slice() {
            [] if !self.is_message(top) => {}
            &[only] if !self.is_message(top) => self.roots.push(only),
            _ => self.roots.push(top),
        }
    }

    fn is_message(&self, node: Id) -> bool {
        (node as usize) < self.threads.messages.len()
    }

    /// The message that stands for a node: itself, or its first child.
    fn face(&self, node: Id) -> Id {
        if self.is_message(node) {
            return node;
        }
        self.children[node as usize].first().copied().unwrap_or(node)
    }

    /// Step 4.
    fn sort_roots(&mut self) {
        for at in 0..self.roots.len() {
            let root = self.roots[at];
            if !self.is_message(root) {
                self.sort_children(root);
            }
        }
        let mut roots = std::mem::take(&mut self.roots);
        roots.sort_by_key(|&root| self.threads.age(self.face(root)));
        self.roots = roots;
    }

    fn sort_children(&mut self, node: Id) {
        let threads = self.threads;
        self.children[node as usize].sort_by_key(|&child| threads.age(child));
    }

    fn subject(&self, node: Id) -> Option<u32> {
        self.threads.messages[self.face(node) as usize].subject
    }

    fn is_reply(&self, node: Id) -> bool {
        self.threads.messages[self.face(node) as usize].is_reply
    }

    /// Step 5.
    fn gather_subjects(&mut self) {
        let mut table = self.subject_table();
        let mut replaced: HashMap<Id, Id> = HashMap::new();
        let roots = std::mem::take(&mut self.roots);
        let mut left = Vec::with_capacity(roots.len());
        for root in roots {
            let Some(subject) = self.subject(root) else {
                left.push(root);
                continue;
            };
            // Every subject of a root is in the table.
            let first = table.get(&subject).copied().unwrap_or(root);
            if first == root {
                left.push(root);
                continue;
            }
            let gathered = self.merge(first, root);
            if gathered != first {
                table.insert(subject, gathered);
                replaced.insert(first, gathered);
            }
        }
        self.roots = left
            .into_iter()
            .map(|root| replaced.get(&root).copied().unwrap_or(root))
            .collect();
    }

    /// Step 5.B: of each subject the root that gathers the others.
    fn subject_table(&self) -> HashMap<u32, Id> {
        let mut table: HashMap<u32, Id> = HashMap::new();
        for &root in &self.roots {
            let Some(subject) = self.subject(root) else {
                continue;
            };
            let first = *table.entry(subject).or_insert(root);
            let better = !self.is_message(root) || (self.is_reply(first) && !self.is_reply(root));
            if self.is_message(first) && better {
                table.insert(subject, root);
            }
        }
        table
    }

    /// Step 5.C: puts `root` into the thread of `first`; the root that holds both.
    fn merge(&mut self, first: Id, root: Id) -> Id {
        match (self.is_message(first), self.is_message(root)) {
            (false, false) => {
                let children = std::mem::take(&mut self.children[root as usize]);
                self.children[first as usize].extend(children);
                first
            }
            (false, true) => {
                self.children[first as usize].push(root);
                first
            }
            (true, _) if self.is_reply(root) && !self.is_reply(first) => {
                self.children[first as usize].push(root);
                first
            }
            (true, _) => {
                self.children.push(vec![first, root]);
                (self.children.len() - 1) as Id
            }
        }
    }

    /// Step 6.
    fn sort_all(&mut self) {
        for node in 0..self.children.len() {
            self.sort_children(node as Id);
        }
        self.sort_roots();
    }

    fn into_forest(self) -> Forest {
        let messages = self.threads.messages.len();
        let node = |(at, children)| Node {
            message: (at < messages).then_some(at as Id),
            children,
        };
        Forest {
            nodes: self.children.into_iter().enumerate().map(node).collect(),
            roots: self.roots,
        }
    }
}
