//! Beginnings or ends of texts, looked up by walking from that end: only as far as some literal goes.

use rustc_hash::FxHashMap;

/// Literals by their letters; each carries a number.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    edges: Vec<(u8, u32)>,
}

#[derive(Debug, Default)]
struct Node {
    first_edge: u32,
    edges: u32,
    literal: Option<u32>,
}

impl Trie {
    /// Builds it from literals (each given from the end that is walked from) and their numbers.
    pub(crate) fn of(literals: impl IntoIterator<Item = (Vec<u8>, u32)>) -> Self {
        let mut children: Vec<Vec<(u8, u32)>> = vec![Vec::new()];
        let mut ends: FxHashMap<u32, u32> = FxHashMap::default();
        for (literal, number) in literals {
            let mut at = 0_u32;
            for byte in literal {
                let known = children[at as usize]
                    .iter()
                    .find(|(letter, _)| *letter == byte)
                    .map(|(_, child)| *child);
                at = known.unwrap_or_else(|| {
                    let child = u32::try_from(children.len()).expect("rules have fewer letters");
                    children[at as usize].push((byte, child));
                    children.push(Vec::new());
                    child
                });
            }
            ends.insert(at, number);
        }
        let mut trie = Self::default();
        for (index, mut own) in children.into_iter().enumerate() {
            own.sort_unstable();
            let index = u32::try_from(index).expect("rules have fewer letters");
            trie.nodes.push(Node {
                first_edge: u32::try_from(trie.edges.len()).expect("rules have fewer letters"),
                edges: u32::try_from(own.len()).expect("a byte has 256 values"),
                literal: ends.get(&index).copied(),
            });
            trie.edges.extend(own);
        }
        trie
    }

    /// Calls `found` with the number of every literal that the letters begin with.
    pub(crate) fn walk(&self, letters: impl Iterator<Item = u8>, mut found: impl FnMut(u32)) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        if let Some(literal) = node.literal {
            found(literal);
        }
        for letter in letters {
            let first = node.first_edge as usize;
            let edges = &self.edges[first..first + node.edges as usize];
            let next = if edges.len() > 8 {
                edges
                    .binary_search_by_key(&letter, |(known, _)| *known)
                    .ok()
            } else {
                edges.iter().position(|(known, _)| *known == letter)
            };
            let Some(next) = next else {
                return;
            };
            node = &self.nodes[edges[next].1 as usize];
            if let Some(literal) = node.literal {
                found(literal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_at_the_end_is_found() {
        let literals = ["\\cmd.exe", "cmd.exe", ".exe", "x.exe", ""];
        let numbered = literals
            .iter()
            .zip(0..)
            .map(|(text, number)| (text.bytes().rev().collect(), number));
        let trie = Trie::of(numbered);
        let found = |text: &str| {
            let mut all = Vec::new();
            trie.walk(text.bytes().rev(), |number| all.push(number));
            all
        };
        assert_eq!(found("c:\\cmd.exe"), [4, 2, 1, 0]);
        assert_eq!(found("exe"), [4]);
        assert_eq!(found(""), [4]);
    }
}
