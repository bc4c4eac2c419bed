//! Draws k of many rows so that a draw depends on the drawn rows' content and on nothing else.
//!
//! Every row has a priority: the BLAKE3 digest of the seed, the purpose, the task and the row's content, with a number
//! that tells equal rows apart. A draw takes the rows of the smallest priorities, in that order. So the order of a file
//! does not matter, a larger k only adds rows, and changing one row changes a draw only where that row is in or comes in.

use std::collections::HashMap;

use crate::base::Digest;
use crate::task::rows::{Label, Rows};

/// Rows to draw from: some rows of a file, each with its identity.
#[derive(Clone, Debug)]
pub struct Pool<'a> {
    rows: &'a Rows,
    members: Vec<Member>,
}

/// One row of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the file.
    pub index: usize,
    content: [u8; 32],
    occurrence: u64,
}

impl<'a> Pool<'a> {
    /// All rows of a file.
    pub fn new(rows: &'a Rows) -> Self {
        let mut seen: HashMap<[u8; 32], u64> = HashMap::with_capacity(rows.len());
        let members = (0..rows.len())
            .map(|index| {
                let content = content(&rows.cells[index], rows.labels[index]);
                let count = seen.entry(content).or_insert(0);
                let occurrence = *count;
                *count += 1;
                Member { index, content, occurrence }
            })
            .collect();
        Self { rows, members }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The `count` rows of the smallest priorities, or all when there are fewer.
    pub fn draw(&self, seed: u64, purpose: &str, task: &str, count: usize) -> Vec<Member> {
        let mut ranked = self.ranked(seed, purpose, task);
        ranked.truncate(count);
        ranked
    }

    /// As [`Pool::draw`], at most `count` rows of every class; with them the class of which fewest were found, and how many.
    pub fn draw_per_class(
        &self,
        seed: u64,
        purpose: &str,
        task: &str,
        count: usize,
        classes: usize,
    ) -> (Vec<Member>, (usize, usize)) {
        let mut taken = vec![0; classes];
        let mut drawn = self.ranked(seed, purpose, task);
        drawn.retain(|member| match self.rows.labels[member.index] {
            Label::Class(class) if taken[class as usize] < count => {
                taken[class as usize] += 1;
                true
            }
            _ => false,
        });
        let fewest = taken.into_iter().enumerate().min_by_key(|(_, found)| *found).unwrap_or_default();
        (drawn, fewest)
    }

    /// Splits the pool: the `count` rows of the smallest priorities, and the others.
    pub fn part(self, seed: u64, purpose: &str, task: &str, count: usize) -> (Self, Self) {
        let mut first = self.ranked(seed, purpose, task);
        let rest = first.split_off(count.min(first.len()));
        (Self { rows: self.rows, members: first }, Self { rows: self.rows, members: rest })
    }

    /// A member's texts and label.
    pub fn row(&self, member: &Member) -> (&'a [String], Label) {
        (&self.rows.cells[member.index], self.rows.labels[member.index])
    }

    fn ranked(&self, seed: u64, purpose: &str, task: &str) -> Vec<Member> {
        let mut base = blake3::Hasher::new_derive_key("compt 2026 priority of a row");
        base.update(&seed.to_le_bytes());
        for part in [purpose, task] {
            base.update(&(part.len() as u64).to_le_bytes());
            base.update(part.as_bytes());
        }
        let mut ranked: Vec<([u8; 32], Member)> = self
            .members
            .iter()
            .map(|member| {
                let mut hasher = base.clone();
                hasher.update(&member.content);
                hasher.update(&member.occurrence.to_le_bytes());
                (*hasher.finalize().as_bytes(), *member)
            })
            .collect();
        ranked.sort_unstable_by_key(|(priority, _)| *priority);
        ranked.into_iter().map(|(_, member)| member).collect()
    }
}

impl Member {
    /// A short name made from the row's content, the same wherever the row is drawn.
    pub fn id(&self) -> String {
        let hasher = {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.content);
            hasher.update(&self.occurrence.to_le_bytes());
            hasher
        };
        Digest::from(hasher).short()
    }
}

/// The digest of a row's texts and label.
fn content(cells: &[String], label: Label) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("compt 2026 content of a row");
    for text in cells {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    match label {
        Label::Class(index) => hasher.update(&u64::from(index).to_le_bytes()),
        Label::Score(score) => hasher.update(&score.to_bits().to_le_bytes()),
    };
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use crate::base::random::Stream;
    use crate::task::fixtures;
    use crate::task::rows::Rows;
    use proptest::prelude::*;

    /// Rows of few different texts, so that equal rows are common.
    fn some_rows() -> impl Strategy<Value = Vec<(String, u32)>> {
        prop::collection::vec(("[a-d]{1,2}", 0u32..2), 1..40)
    }

    fn make(cells: &[(String, u32)]) -> Rows {
        fixtures::rows(&cells.iter().map(|(text, label)| (text.as_str(), *label)).collect::<Vec<_>>())
    }

    fn texts(rows: &Rows, task: &str, k: usize) -> Vec<(String, String)> {
        let pool = Pool::new(rows);
        pool.draw(5, "train", task, k).iter().map(|m| (m.id(), pool.row(m).0[0].clone())).collect()
    }

    proptest! {
        #[test]
        fn the_order_of_the_file_does_not_matter(cells in some_rows(), k in 0usize..50, seed: u64) {
            let mut shuffled = cells.clone();
            Stream::new(seed, &["order"]).shuffle(&mut shuffled);
            prop_assert_eq!(texts(&make(&cells), "a", k), texts(&make(&shuffled), "a", k));
        }

        #[test]
        fn a_larger_draw_begins_with_the_smaller(cells in some_rows(), k in 0usize..20, more in 0usize..20) {
            let rows = make(&cells);
            let large = texts(&rows, "a", k + more);
            prop_assert_eq!(&texts(&rows, "a", k)[..], &large[..k.min(large.len())]);
        }

        #[test]
        fn removing_a_row_that_is_not_drawn_changes_nothing(cells in some_rows(), k in 0usize..10) {
            let rows = make(&cells);
            let pool = Pool::new(&rows);
            let drawn: Vec<usize> = pool.draw(5, "train", "a", k).iter().map(|member| member.index).collect();
            // The last of equal rows has the highest number, so the others keep theirs.
            let free = (0..cells.len()).find(|i| !drawn.contains(i) && !cells[i + 1..].contains(&cells[*i]));
            if let Some(free) = free {
                let mut fewer = cells.clone();
                fewer.remove(free);
                prop_assert_eq!(texts(&rows, "a", k), texts(&make(&fewer), "a", k));
            }
        }

        #[test]
        fn parts_are_disjoint_and_complete(cells in some_rows(), k in 0usize..50) {
            let rows = make(&cells);
            let (first, rest) = Pool::new(&rows).part(1, "split", "a", k);
            prop_assert_eq!(first.len(), k.min(cells.len()));
            let mut all: Vec<usize> = first.members.iter().chain(&rest.members).map(|member| member.index).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..cells.len()).collect::<Vec<_>>());
        }

        #[test]
        fn classes_are_balanced(cells in some_rows(), k in 0usize..6) {
            let rows = make(&cells);
            let pool = Pool::new(&rows);
            let least = (0..2).map(|class| cells.iter().filter(|(_, label)| *label == class).count()).min().unwrap();
            let (drawn, (_, fewest)) = pool.draw_per_class(5, "train", "a", k, 2);
            prop_assert_eq!(fewest, least.min(k));
            for class in 0..2 {
                let there = cells.iter().filter(|(_, label)| *label == class).count();
                prop_assert_eq!(drawn.iter().filter(|m| cells[m.index].1 == class).count(), k.min(there));
            }
        }
    }

    #[test]
    fn seeds_purposes_and_tasks_draw_differently() {
        let cells: Vec<(String, u32)> = (0..200).map(|n| (format!("row {n}"), 0)).collect();
        let rows = make(&cells);
        let pool = Pool::new(&rows);
        let draw = |seed, purpose: &str, task: &str| -> Vec<usize> {
            pool.draw(seed, purpose, task, 10).iter().map(|member| member.index).collect()
        };
        let draws = [draw(1, "train", "a"), draw(2, "train", "a"), draw(1, "test", "a"), draw(1, "train", "b")];
        for (i, one) in draws.iter().enumerate() {
            for other in &draws[i + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn draws_are_uniform() {
        // 4000 draws of 1 of 20: chi-square with 19 degrees of freedom stays below 43.8 (p = 0.001).
        let cells: Vec<(String, u32)> = (0..20).map(|n| (n.to_string(), 0)).collect();
        let rows = make(&cells);
        let pool = Pool::new(&rows);
        let mut counts = [0u32; 20];
        for seed in 0..4000 {
            counts[pool.draw(seed, "train", "a", 1)[0].index] += 1;
        }
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 200.0).powi(2) / 200.0).sum();
        assert!(chi < 43.8, "chi-square {chi}");
    }
}
