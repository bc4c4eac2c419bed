//! How rows of different lengths share one matrix.
//!
//! All linear maps, norms and activations see `[tokens, width]`, the rows of the batch below one another, without padding.
//! Only attention has to know where a row ends. It works on groups of rows of similar length, padded to the longest of
//! the group: a group costs a fixed number of calls however many rows it has, and what padding costs is bounded by
//! [`waste`]. What stands in the padded places is never seen: as keys they are masked, as queries they are dropped.

use tch::{Device, Kind, Tensor};

use super::position::PositionTable;

/// Scores (cells of query times key) that padding may cost a row. On the CPU so many take about as long as the calls of
/// one more group; on a GPU a call costs more and a cell less.
fn waste(device: Device) -> usize {
    if device == Device::Cpu { 1500 } else { 65_536 }
}

/// Groups of rows, the longest first; within a group no row is padded by more than [`waste`] cells. Rows without tokens
/// are in none.
fn group(lengths: &[usize], device: Device) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).filter(|row| lengths[*row] > 0).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(lengths[*row]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some(group) if lengths[group[0]].pow(2) - lengths[row].pow(2) <= waste(device) => group.push(row),
            _ => groups.push(vec![row]),
        }
    }
    groups
}

/// The number that hides a key: the most negative finite one, as Hugging Face takes it.
fn hidden(kind: Kind) -> f64 {
    match kind {
        Kind::Half => -65504.0,
        Kind::BFloat16 => -3.389_531_389_251_535_5e38,
        Kind::Double => f64::MIN,
        _ => f64::from(f32::MIN),
    }
}

/// 0 where visible, else the number that hides, from flags in row-major order.
fn mask(visible: &[bool], shape: &[i64], device: Device, kind: Kind) -> Tensor {
    let cells: Vec<f32> = visible.iter().map(|visible| if *visible { 0.0 } else { 1.0 }).collect();
    (Tensor::from_slice(&cells).view(shape).to_kind(kind) * hidden(kind)).to_device(device)
}

/// Which of the padded places are keys, as a mask of `[rows, 1, ..., length]`; `None` where all are.
fn key_mask(lengths: &[usize], members: &[usize], shape: &[i64], device: Device, kind: Kind) -> Option<Tensor> {
    let longest = members.iter().map(|row| lengths[*row]).max().unwrap_or(0);
    let visible: Vec<bool> = members.iter().flat_map(|row| (0..longest).map(|place| place < lengths[*row])).collect();
    (!visible.iter().all(|visible| *visible)).then(|| mask(&visible, shape, device, kind))
}

/// The way from packed rows to padded groups and back.
#[derive(Debug)]
pub(super) struct Padding {
    /// Rows and padded length of each group.
    shapes: Vec<[i64; 2]>,
    /// The packed token that stands in each place of the groups, one after another; a row's first token fills up its
    /// padding. `None` where packed and padded are the same.
    token_of_place: Option<Tensor>,
    /// The place of each packed token.
    place_of_token: Option<Tensor>,
}

impl Padding {
    fn new(lengths: &[usize], groups: &[Vec<usize>], device: Device) -> Self {
        let starts: Vec<usize> = lengths
            .iter()
            .scan(0, |next, length| {
                *next += length;
                Some(*next - length)
            })
            .collect();
        let (mut tokens, mut shapes) = (Vec::new(), Vec::new());
        let mut places = vec![0; lengths.iter().sum()];
        for group in groups {
            let longest = group.iter().map(|row| lengths[*row]).max().unwrap_or(0);
            shapes.push([group.len() as i64, longest as i64]);
            for &row in group {
                for place in 0..longest {
                    let token = if place < lengths[row] { starts[row] + place } else { starts[row] };
                    if place < lengths[row] {
                        places[token] = tokens.len() as i64;
                    }
                    tokens.push(token as i64);
                }
            }
        }
        let in_place = tokens.len() == places.len() && tokens.is_sorted();
        let index = |ids: &[i64]| (!in_place).then(|| Tensor::from_slice(ids).to_device(device));
        Self { shapes, token_of_place: index(&tokens), place_of_token: index(&places) }
    }

    /// `[tokens, ...]` -> for each group `[rows * length, ...]`
    pub(super) fn pad(&self, packed: &Tensor) -> Vec<Tensor> {
        let sizes: Vec<i64> = self.shapes.iter().map(|[rows, length]| rows * length).collect();
        match &self.token_of_place {
            // Splitting once, and not narrowing per group, lets the backward pass join the parts' gradients instead of
            // summing as many matrices of full size as there are groups.
            Some(index) => packed.index_select(0, index).split_with_sizes(&sizes, 0),
            None => packed.split_with_sizes(&sizes, 0),
        }
    }

    /// The way back: for each group `[rows * length, ...]` -> `[tokens, ...]`
    pub(super) fn pack(&self, groups: &[Tensor]) -> Tensor {
        let all = Tensor::cat(groups, 0);
        match &self.place_of_token {
            Some(index) => all.index_select(0, index),
            None => all,
        }
    }

    /// Rows and padded length of each group.
    pub(super) fn shapes(&self) -> &[[i64; 2]] {
        &self.shapes
    }
}

/// The plan of self-attention over packed rows; the same for every block of a stack.
#[derive(Debug)]
pub(super) struct SelfPlan {
    /// Where queries, keys and values stand.
    pub(super) padding: Padding,
    /// Position bias and mask of each group, `[rows or 1, heads, length, length]`.
    pub(super) biases: Vec<Tensor>,
}

impl SelfPlan {
    /// Plans for rows that are given by the positions of their tokens; with `causal`, no token sees a later one.
    pub(super) fn new(rows: &[Vec<i64>], table: &PositionTable, causal: bool, device: Device) -> Self {
        let longest = rows.iter().flatten().max().map_or(1, |position| position + 1);
        let square = table.square(longest); // [heads, longest, longest]
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let groups = group(&lengths, device);
        let padding = Padding::new(&lengths, &groups, device);
        let bias = |(members, [_, length]): (&Vec<usize>, &[i64; 2])| {
            let in_order = members.iter().all(|row| rows[*row].iter().copied().eq(0..rows[*row].len() as i64));
            let bias = if in_order {
                square.narrow(1, 0, *length).narrow(2, 0, *length).unsqueeze(0)
            } else {
                let of_row = |row: &usize| {
                    let mut positions = rows[*row].clone();
                    positions.resize(*length as usize, 0);
                    let index = Tensor::from_slice(&positions).to_device(device);
                    square.index_select(1, &index).index_select(2, &index)
                };
                Tensor::stack(&members.iter().map(of_row).collect::<Vec<_>>(), 0)
            };
            // Added out of place: a bias that is in order is a view, and all groups look at the same square.
            let shape = [members.len() as i64, 1, 1, *length];
            let bias = match key_mask(&lengths, members, &shape, device, table.kind()) {
                Some(mask) => bias + mask,
                None => bias,
            };
            if !causal {
                return bias;
            }
            let visible: Vec<bool> = (0..*length).flat_map(|query| (0..*length).map(move |key| key <= query)).collect();
            bias + mask(&visible, &[*length, *length], device, table.kind())
        };
        let biases = groups.iter().zip(&padding.shapes).map(bias).collect();
        Self { padding, biases }
    }
}

/// The plan of cross-attention: which target tokens look at which part of the encoder's output.
#[derive(Debug)]
pub(super) struct CrossPlan {
    /// Where the target tokens stand.
    pub(super) padding: Padding,
    /// Encoder output of each group, `[rows, encoder tokens, d_model]`.
    pub(super) memories: Vec<Tensor>,
    /// Mask of each group, `[rows, 1, encoder tokens]`, where its rows differ in length.
    pub(super) masks: Vec<Option<Tensor>>,
}

impl CrossPlan {
    /// Plans for the encoder outputs of some rows, each `[tokens, d_model]`, and the number of target tokens of each.
    ///
    /// # Panics
    /// Without rows; a batch without rows is refused before.
    pub(super) fn new(memories: &[Tensor], queries: &[usize]) -> Self {
        let (device, kind) = (memories[0].device(), memories[0].kind());
        let lengths: Vec<usize> = memories.iter().map(|memory| memory.size()[0] as usize).collect();
        let mut groups = group(&lengths, device);
        groups.iter_mut().for_each(|members| members.retain(|row| queries[*row] > 0));
        groups.retain(|members| !members.is_empty());
        let sources = Padding::new(&lengths, &groups, device);
        let padded = sources.pad(&Tensor::cat(memories, 0));
        let shaped =
            padded.iter().zip(sources.shapes()).map(|(group, [rows, length])| group.view([*rows, *length, -1]));
        let masks = groups
            .iter()
            .zip(sources.shapes())
            .map(|(members, [rows, length])| key_mask(&lengths, members, &[*rows, 1, *length], device, kind));
        Self { memories: shaped.collect(), masks: masks.collect(), padding: Padding::new(queries, &groups, device) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn rows_of_like_length_are_a_group() {
        // 70 * 70 - 60 * 60 = 1300; 70 * 70 - 58 * 58 = 1536.
        assert_eq!(group(&[10, 70, 58, 0, 60, 1], Device::Cpu), [vec![1, 4], vec![2], vec![0, 5]]);
        assert_eq!(group(&[], Device::Cpu), Vec::<Vec<usize>>::new());
        assert_eq!(group(&[3, 90, 3], Device::Cuda(0)), [vec![1, 0, 2]]);
    }

    #[test]
    fn rows_of_one_length_stay_where_they_are() {
        let padding = Padding::new(&[2, 2], &group(&[2, 2], Device::Cpu), Device::Cpu);
        assert!(padding.token_of_place.is_none());
        let packed = Tensor::from_slice(&[5_i64, 6, 7, 8]);
        assert_eq!(numbers(&padding.pad(&packed)[0]), [5, 6, 7, 8]);
    }

    #[test]
    fn shorter_rows_are_filled_up() {
        let padding = Padding::new(&[1, 3], &group(&[1, 3], Device::Cpu), Device::Cpu);
        let groups = padding.pad(&Tensor::from_slice(&[5_i64, 6, 7, 8]));
        assert_eq!(numbers(&groups[0]), [6, 7, 8, 5, 5, 5]);
        assert_eq!(padding.shapes(), [[2, 3]]);
    }

    #[test]
    fn a_group_hides_padding_and_later_tokens() {
        let table = PositionTable::new(Tensor::zeros([8, 2], (Kind::Float, Device::Cpu)), false, 20);
        let plan = SelfPlan::new(&[vec![0, 1], vec![0]], &table, true, Device::Cpu);
        let visible = Vec::<bool>::try_from(plan.biases[0].select(1, 0).ge(-1.0).view(-1)).unwrap();
        assert_eq!(visible, [true, false, true, true, true, false, true, false]);
    }

    proptest! {
        /// Padding and packing again changes nothing, whatever the lengths and whoever has no tokens.
        #[test]
        fn the_way_back_is_the_way_back(lengths in proptest::collection::vec(0_usize..90, 1..12)) {
            let tokens: usize = lengths.iter().sum();
            prop_assume!(tokens > 0);
            let packed = Tensor::arange(tokens as i64, (Kind::Int64, Device::Cpu));
            let padding = Padding::new(&lengths, &group(&lengths, Device::Cpu), Device::Cpu);
            prop_assert_eq!(numbers(&padding.pack(&padding.pad(&packed))), numbers(&packed));
        }
    }
}
