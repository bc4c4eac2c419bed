//! The cells of a stage: the product of its axes, less what is excluded. Pure, and knows nothing of operations.

use std::collections::{BTreeMap, HashMap};

use crate::protocol::Coordinates;
use crate::spec::AxisValue;

/// An axis of one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// Its values in their order, no two of the same text.
    pub levels: Vec<AxisValue>,
}

/// The cells of one stage, in the order of its axes: the first axis is the slowest.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The stage's axes in their order.
    pub axes: Vec<Axis>,
    /// One row per cell: for each axis, the position of the cell's value among the axis's levels.
    pub rows: Vec<Box<[u32]>>,
}

/// Cells to leave out: those that agree with every entry.
pub type Exclusion = BTreeMap<String, String>;

impl Table {
    /// How many cells the product of `axes` has; `None` when that can't be counted.
    pub fn size(axes: &[Axis]) -> Option<usize> {
        axes.iter().try_fold(1, |size: usize, axis| size.checked_mul(axis.levels.len()))
    }

    /// The product of `axes`, less the cells that an exclusion names. No axes give one cell without coordinates.
    pub fn product(axes: Vec<Axis>, exclude: &[Exclusion]) -> Self {
        let mut rows: Vec<Box<[u32]>> = vec![Box::default()];
        for axis in &axes {
            rows = rows
                .iter()
                .flat_map(|row| (0..axis.levels.len() as u32).map(|level| row.iter().copied().chain([level]).collect()))
                .collect();
        }
        let mut table = Self { axes, rows };
        table.exclude(exclude);
        table
    }

    /// Takes out the cells that an exclusion names; one that names an axis or value the table lacks takes out nothing.
    pub fn exclude(&mut self, exclude: &[Exclusion]) {
        let patterns: Vec<Vec<(usize, u32)>> =
            exclude.iter().filter_map(|exclusion| self.positions(exclusion)).collect();
        self.rows.retain(|row| !patterns.iter().any(|pattern| pattern.iter().all(|&(axis, level)| row[axis] == level)));
    }

    /// The position of the axis with this name.
    pub fn axis(&self, name: &str) -> Option<usize> {
        self.axes.iter().position(|axis| axis.name == name)
    }

    /// The level of `axis` in `row`.
    pub fn level(&self, row: &[u32], axis: usize) -> &AxisValue {
        &self.axes[axis].levels[row[axis] as usize]
    }

    /// The coordinates of `row`.
    pub fn coordinates(&self, row: &[u32]) -> Coordinates {
        (0..self.axes.len()).map(|axis| (self.axes[axis].name.clone(), self.level(row, axis).text.clone())).collect()
    }

    /// `fit[method=spp,seed=123]`, or only the stage's name when it has no axes.
    pub fn name(&self, stage: &str, row: &[u32]) -> String {
        if self.axes.is_empty() {
            return stage.to_owned();
        }
        let mut name = format!("{stage}[");
        for (position, axis) in self.axes.iter().enumerate() {
            let separator = if position > 0 { "," } else { "" };
            name.extend([separator, &axis.name, "=", &self.level(row, position).text]);
        }
        name.push(']');
        name
    }

    fn positions(&self, exclusion: &Exclusion) -> Option<Vec<(usize, u32)>> {
        exclusion
            .iter()
            .map(|(name, text)| {
                let axis = self.axis(name)?;
                Some((axis, self.axes[axis].position(text)?))
            })
            .collect()
    }
}

impl Axis {
    /// The position of the level with this text.
    pub fn position(&self, text: &str) -> Option<u32> {
        self.levels.iter().position(|level| level.text == text).map(|position| position as u32)
    }

    /// The positions of all levels by their text.
    pub fn index(&self) -> HashMap<&str, u32> {
        self.levels.iter().enumerate().map(|(position, level)| (level.text.as_str(), position as u32)).collect()
    }
}

#[cfg(test)]
pub(in crate::plan) mod tests {
    use super::{Axis, Exclusion, Table};
    use crate::spec::AxisValue;
    use proptest::prelude::*;
    use serde_json::Value;

    /// An axis whose levels are texts.
    pub(in crate::plan) fn axis(name: &str, levels: &[&str]) -> Axis {
        let level = |text: &&str| AxisValue { text: (*text).to_owned(), value: Value::from(*text) };
        Axis { name: name.to_owned(), levels: levels.iter().map(level).collect() }
    }

    /// Tables over the axes a, b and c, in any order, with some cells missing.
    pub(in crate::plan) fn tables() -> impl Strategy<Value = Table> {
        let axes = Just(vec!["a", "b", "c"]).prop_shuffle().prop_flat_map(|names| {
            (0..=3usize).prop_flat_map(move |count| {
                let levels = prop::sample::subsequence(vec!["1", "2", "3"], 1..=3).prop_shuffle();
                let names = names[..count].to_vec();
                prop::collection::vec(levels, count)
                    .prop_map(move |levels| names.iter().zip(levels).map(|(n, l)| axis(n, &l)).collect::<Vec<_>>())
            })
        });
        (axes, prop::collection::vec(any::<bool>(), 27)).prop_map(|(axes, keep)| {
            let mut table = Table::product(axes, &[]);
            let mut keep = keep.into_iter();
            table.rows.retain(|_| keep.next().unwrap_or(true));
            table
        })
    }

    fn exclusion(pairs: &[(&str, &str)]) -> Exclusion {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_first_axis_is_the_slowest() {
        let table = Table::product(vec![axis("m", &["spp", "scp"]), axis("s", &["1", "2"])], &[]);
        let names: Vec<String> = table.rows.iter().map(|row| table.name("fit", row)).collect();
        assert_eq!(names, ["fit[m=spp,s=1]", "fit[m=spp,s=2]", "fit[m=scp,s=1]", "fit[m=scp,s=2]"]);
    }

    #[test]
    fn no_axes_are_one_cell() {
        let table = Table::product(Vec::new(), &[]);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.name("table", &table.rows[0]), "table");
    }

    #[test]
    fn an_exclusion_takes_out_the_cells_that_agree_with_all_of_it() {
        let axes = || vec![axis("m", &["spp", "scp"]), axis("i", &["none", "mnli"]), axis("s", &["1", "2"])];
        let count = |pairs: &[(&str, &str)]| Table::product(axes(), &[exclusion(pairs)]).rows.len();
        assert_eq!(count(&[("m", "scp"), ("i", "mnli")]), 6);
        assert_eq!(count(&[("s", "2")]), 4);
        assert_eq!(count(&[("s", "3")]), 8);
    }
}
