//! Which instances a stage reads: the natural join of two stages' cells on the axes that both have.
//!
//! A cell of the reader is connected with every cell of the stage it reads that agrees with it on each shared axis. Axes
//! that only the read stage has are thereby gathered, axes that only the reader has are broadcast. `only` narrows what
//! is read; its lists may depend on the reader's cell. Cells are looked up by their values on the shared axes, so the
//! work grows with what is read and not with the product of the two stages.

use std::collections::HashMap;

use super::matrix::{Axis, Table};

/// The values of an axis that may be read by a cell of the reader.
pub type List<'a> = Box<dyn Fn(&[u32]) -> Vec<String> + 'a>;

/// A list of `only`: which values of an axis are read.
pub struct Narrowing<'a> {
    /// The axis.
    pub axis: &'a str,
    /// The reader's axes that the list depends on, by position.
    pub depends: Vec<usize>,
    /// The values that may be read by the reader's cell.
    pub list: List<'a>,
}

/// Rows by their levels on the shared axes, and on one axis more where that is narrowed.
type Index = HashMap<(Box<[u32]>, Option<u32>), Vec<u32>>;

/// For each row of `reader`, the rows of `read` that it reads, in their order. `None` when they are more than `most` in
/// all: a slip in a file must not fill the memory.
pub fn gather(reader: &Table, read: &Table, only: &[Narrowing<'_>], most: usize) -> Option<Vec<Vec<u32>>> {
    let shared = Shared::of(reader, read);
    let mut narrowings: Vec<(usize, &Narrowing<'_>)> =
        only.iter().filter_map(|narrowing| Some((read.axis(narrowing.axis)?, narrowing))).collect();
    // One narrowed axis that the reader lacks is part of what is looked up; the others are compared row by row.
    narrowings.sort_by_key(|(axis, _)| shared.read.contains(axis));
    let first = narrowings.first().map(|(axis, _)| *axis).filter(|axis| !shared.read.contains(axis));
    let mut index = Index::new();
    for (position, row) in read.rows.iter().enumerate() {
        if let Some(key) = shared.key_of_read(row) {
            index.entry((key, first.map(|axis| row[axis]))).or_default().push(position as u32);
        }
    }
    let mut lists = Lists::new(read, &narrowings);
    let mut left = most;
    let mut all = Vec::with_capacity(reader.rows.len());
    for row in &reader.rows {
        let allowed = lists.of(row);
        let (looked_up, compared): (Vec<Option<u32>>, _) = match (first, allowed.split_first()) {
            (Some(_), Some(((_, levels), rest))) => (levels.iter().copied().map(Some).collect(), rest),
            _ => (vec![None], allowed.as_slice()),
        };
        let may_read = |position: &u32| {
            let row = &read.rows[*position as usize];
            compared.iter().all(|(axis, levels)| levels.binary_search(&row[*axis]).is_ok())
        };
        let mut key = (shared.key_of_reader(row), None);
        let mut found: Vec<u32> = Vec::new();
        for level in looked_up {
            key.1 = level;
            found.extend(index.get(&key).into_iter().flatten().copied().filter(may_read));
        }
        found.sort_unstable();
        left = left.checked_sub(found.len())?;
        all.push(found);
    }
    Some(all)
}

/// The natural join of the cells of several stages: the axes of all of them, and each combination of their cells that
/// agrees on every shared axis. The order is that of the first table, then of the next one, and so on. `None` when there
/// are more than `most` on the way.
pub fn natural_join(tables: &[&Table], most: usize) -> Option<Table> {
    let Some((first, rest)) = tables.split_first() else {
        return Some(Table::product(Vec::new(), &[]));
    };
    rest.iter().try_fold((*first).clone(), |joined, next| join_two(&joined, next, most))
}

/// Keeps the rows that `only` allows: on every narrowed axis the row's value is in the list made for that row.
pub fn retain(table: &mut Table, only: &[Narrowing<'_>]) {
    let kept: Vec<bool> = {
        let narrowings: Vec<(usize, &Narrowing<'_>)> =
            only.iter().filter_map(|narrowing| Some((table.axis(narrowing.axis)?, narrowing))).collect();
        let mut lists = Lists::new(table, &narrowings);
        let allows = |row: &[u32], lists: &mut Lists<'_>| {
            lists.of(row).iter().all(|(axis, levels)| levels.binary_search(&row[*axis]).is_ok())
        };
        table.rows.iter().map(|row| allows(row, &mut lists)).collect()
    };
    let mut kept = kept.into_iter();
    table.rows.retain(|_| kept.next().unwrap_or(false));
}

fn join_two(left: &Table, right: &Table, most: usize) -> Option<Table> {
    let shared = Shared::of(left, right);
    let added: Vec<usize> = (0..right.axes.len()).filter(|axis| !shared.read.contains(axis)).collect();
    let mut axes = left.axes.clone();
    axes.extend(added.iter().map(|&axis| right.axes[axis].clone()));
    let partners = gather(left, right, &[], most)?;
    let mut rows = Vec::with_capacity(partners.iter().map(Vec::len).sum());
    for (row, partners) in left.rows.iter().zip(partners) {
        rows.extend(partners.into_iter().map(|partner| {
            let partner = &right.rows[partner as usize];
            row.iter().copied().chain(added.iter().map(|&axis| partner[axis])).collect::<Box<[u32]>>()
        }));
    }
    Some(Table { axes, rows })
}

/// The axes that two tables share.
struct Shared {
    /// Their positions in the reader.
    reader: Vec<usize>,
    /// Their positions in the read table.
    read: Vec<usize>,
    /// For each of them, the reader's level for each level of the read table; `None` where the reader lacks it.
    levels: Vec<Vec<Option<u32>>>,
}

impl Shared {
    fn of(reader: &Table, read: &Table) -> Self {
        let mut shared = Self { reader: Vec::new(), read: Vec::new(), levels: Vec::new() };
        for (position, axis) in reader.axes.iter().enumerate() {
            let Some(other) = read.axis(&axis.name) else { continue };
            shared.reader.push(position);
            shared.read.push(other);
            shared.levels.push(translate(&read.axes[other], axis));
        }
        shared
    }

    /// The row's values on the shared axes, as the reader counts them; `None` where the reader has no such value.
    fn key_of_read(&self, row: &[u32]) -> Option<Box<[u32]>> {
        self.read.iter().zip(&self.levels).map(|(&axis, levels)| levels[row[axis] as usize]).collect()
    }

    fn key_of_reader(&self, row: &[u32]) -> Box<[u32]> {
        self.reader.iter().map(|&axis| row[axis]).collect()
    }
}

fn translate(from: &Axis, to: &Axis) -> Vec<Option<u32>> {
    let index = to.index();
    from.levels.iter().map(|level| index.get(level.text.as_str()).copied()).collect()
}

/// The narrowed axes of the read table with the allowed levels of each, sorted.
type Allowed = Vec<(usize, Vec<u32>)>;

/// The lists of `only`, made once for each combination of the values that they depend on.
struct Lists<'a> {
    narrowings: &'a [(usize, &'a Narrowing<'a>)],
    indices: Vec<HashMap<&'a str, u32>>,
    depends: Vec<usize>,
    made: HashMap<Box<[u32]>, Allowed>,
}

impl<'a> Lists<'a> {
    fn new(read: &'a Table, narrowings: &'a [(usize, &'a Narrowing<'a>)]) -> Self {
        let indices = narrowings.iter().map(|(axis, _)| read.axes[*axis].index()).collect();
        let mut depends: Vec<usize> = narrowings.iter().flat_map(|(_, n)| n.depends.iter().copied()).collect();
        depends.sort_unstable();
        depends.dedup();
        Self { narrowings, indices, depends, made: HashMap::new() }
    }

    fn of(&mut self, row: &[u32]) -> &Allowed {
        let key: Box<[u32]> = self.depends.iter().map(|&axis| row[axis]).collect();
        self.made.entry(key).or_insert_with(|| {
            let allowed = |((axis, narrowing), index): (&(usize, &Narrowing<'_>), &HashMap<&str, u32>)| {
                let list = (narrowing.list)(row);
                let mut levels: Vec<u32> = list.iter().filter_map(|text| index.get(text.as_str()).copied()).collect();
                levels.sort_unstable();
                levels.dedup();
                (*axis, levels)
            };
            self.narrowings.iter().zip(&self.indices).map(allowed).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Narrowing, gather, natural_join, retain};
    use crate::plan::matrix::tests::{axis, tables};
    use crate::plan::matrix::{Exclusion, Table};
    use crate::protocol::Coordinates;
    use proptest::prelude::*;

    const MOST: usize = 1_000_000;

    fn agree(a: &Coordinates, b: &Coordinates) -> bool {
        a.iter().all(|(name, text)| b.get(name).is_none_or(|other| other == text))
    }

    fn coordinates(table: &Table) -> Vec<Coordinates> {
        table.rows.iter().map(|row| table.coordinates(row)).collect()
    }

    fn fixed(name: &str, list: Vec<String>) -> Narrowing<'_> {
        Narrowing { axis: name, depends: Vec::new(), list: Box::new(move |_| list.clone()) }
    }

    /// Lists of `only` for some of the axes, the list of `b` being the reader's own value of `a`, if it has one.
    fn lists() -> impl Strategy<Value = (Option<Vec<String>>, bool)> {
        let list = prop::sample::subsequence(vec!["1".to_owned(), "2".into(), "3".into()], 0..=3);
        (prop::option::of(list), any::<bool>())
    }

    fn narrowings<'a>(reader: &'a Table, lists: &'a (Option<Vec<String>>, bool)) -> Vec<Narrowing<'a>> {
        let mut only: Vec<Narrowing<'_>> = lists.0.iter().map(|list| fixed("a", list.clone())).collect();
        if let (true, Some(position)) = (lists.1, reader.axis("a")) {
            let list = move |row: &[u32]| vec![reader.level(row, position).text.clone()];
            only.push(Narrowing { axis: "b", depends: vec![position], list: Box::new(list) });
        }
        only
    }

    /// The definition, said with nested loops.
    fn allowed(reader: &Coordinates, read: &Coordinates, lists: &(Option<Vec<String>>, bool)) -> bool {
        let in_list = |axis: &str, list: &[String]| read.get(axis).is_none_or(|text| list.contains(text));
        lists.0.as_ref().is_none_or(|list| in_list("a", list))
            && (!lists.1 || reader.get("a").is_none_or(|own| in_list("b", std::slice::from_ref(own))))
    }

    proptest! {
        #[test]
        fn gathers_what_the_definition_says(reader in tables(), read in tables(), lists in lists()) {
            let found = gather(&reader, &read, &narrowings(&reader, &lists), MOST).unwrap();
            let all = coordinates(&read);
            for (row, found) in coordinates(&reader).iter().zip(found) {
                let expected: Vec<u32> = (0..all.len() as u32)
                    .filter(|&i| agree(row, &all[i as usize]) && allowed(row, &all[i as usize], &lists))
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn joins_what_the_definition_says(a in tables(), b in tables(), c in tables()) {
            let joined = natural_join(&[&a, &b, &c], MOST).unwrap();
            let mut expected = Vec::new();
            for x in coordinates(&a) {
                for y in coordinates(&b) {
                    for z in coordinates(&c) {
                        if agree(&x, &y) && agree(&y, &z) && agree(&x, &z) {
                            let mut all = x.clone();
                            all.extend(y.clone());
                            all.extend(z);
                            expected.push(all);
                        }
                    }
                }
            }
            prop_assert_eq!(coordinates(&joined), expected);
        }

        #[test]
        fn retains_what_the_definition_says(table in tables(), lists in lists()) {
            let mut kept = table.clone();
            retain(&mut kept, &narrowings(&table, &lists));
            let expected: Vec<_> = coordinates(&table).into_iter().filter(|row| allowed(row, row, &lists)).collect();
            prop_assert_eq!(coordinates(&kept), expected);
        }
    }

    #[test]
    fn a_training_stage_reads_the_tasks_it_names() {
        let text = Table::product(vec![axis("task", &["imdb", "rte", "mnli"]), axis("seed", &["1", "2"])], &[]);
        let fit = Table::product(vec![axis("include", &["none", "mnli"]), axis("seed", &["1", "2"])], &[]);
        let list = |row: &[u32]| {
            let own = ["imdb", "rte"].map(str::to_owned).into_iter();
            own.chain(Some(fit.level(row, 0).text.clone()).filter(|text| text != "none")).collect()
        };
        let only = [Narrowing { axis: "task", depends: vec![0], list: Box::new(list) }];
        let names: Vec<Vec<String>> = gather(&fit, &text, &only, MOST)
            .unwrap()
            .into_iter()
            .map(|rows| rows.into_iter().map(|row| text.name("text", &text.rows[row as usize])).collect())
            .collect();
        assert_eq!(names[0], ["text[task=imdb,seed=1]", "text[task=rte,seed=1]"]);
        assert_eq!(names[3], ["text[task=imdb,seed=2]", "text[task=rte,seed=2]", "text[task=mnli,seed=2]"]);
    }

    #[test]
    fn a_join_that_is_too_large_is_not_made() {
        let many: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let table = |name| Table::product(vec![axis(name, &many)], &[]);
        assert_eq!(natural_join(&[&table("x"), &table("y")], MOST), None);
        assert_eq!(gather(&table("x"), &table("y"), &[], MOST), None);
    }

    #[test]
    fn the_work_does_not_grow_with_the_product() {
        // 100,000 cells against 100,000: ten thousand million comparisons for nested loops, which would not end here.
        let many: Vec<String> = (0..50_000).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let nothing: [Exclusion; 0] = [];
        let left = Table::product(vec![axis("x", &many), axis("y", &["1", "2"])], &nothing);
        let right = Table::product(vec![axis("z", &["1", "2"]), axis("x", &many)], &[]);
        let joined = natural_join(&[&left, &right], MOST).unwrap();
        assert_eq!(joined.rows.len(), 200_000);
        let depends = Narrowing {
            axis: "x",
            depends: vec![0],
            list: Box::new(|row: &[u32]| vec![left.level(row, 0).text.clone()]),
        };
        assert!(gather(&left, &right, &[depends], MOST).unwrap().iter().all(|rows| rows.len() == 2));
    }
}
