//! How rows of different lengths share one matrix without padding.
//!
//! All linear maps, norms and activations see `[tokens, width]`, the rows of the batch below one another. Only attention
//! has to know where a row ends. It works on groups of neighbouring rows: inside of a group every token is scored
//! against every other, and a mask takes out what belongs to different rows. On the CPU a group is one row, or a few
//! very short ones (the targets of a whole batch); on a GPU, where a kernel launch costs more than a few wasted products, a
//! group is several hundred tokens.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::position::PositionTable;

/// The most tokens in a group of more than one row.
fn group_limit(device: Device) -> usize {
    if device == Device::Cpu { 64 } else { 512 }
}

/// Splits rows into groups of neighbours with at most the device's limit of tokens, or of one row.
fn group(lengths: &[usize], device: Device) -> Vec<Range<usize>> {
    let limit = group_limit(device);
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (row, length) in lengths.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if tokens + length <= limit => {
                last.end = row + 1;
                tokens += length;
            }
            _ => {
                groups.push(row..row + 1);
                tokens = *length;
            }
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

/// A mask of `[queries, keys]`: 0 where `visible`, else the number that hides.
fn mask(queries: usize, keys: usize, device: Device, kind: Kind, visible: impl Fn(usize, usize) -> bool) -> Tensor {
    let mut cells = vec![0.0_f32; queries * keys];
    for query in 0..queries {
        for key in 0..keys {
            if !visible(query, key) {
                cells[query * keys + key] = 1.0;
            }
        }
    }
    (Tensor::from_slice(&cells).view([queries as i64, keys as i64]).to_kind(kind) * hidden(kind)).to_device(device)
}

/// Which row of a group each of its tokens belongs to.
fn owners(lengths: &[usize]) -> Vec<usize> {
    lengths.iter().enumerate().flat_map(|(row, length)| std::iter::repeat_n(row, *length)).collect()
}

/// The plan of self-attention over packed rows; the same for every block of a stack.
#[derive(Debug)]
pub(super) struct SelfPlan {
    /// Tokens of each group, in packed order.
    pub(super) lengths: Vec<i64>,
    /// Position bias and mask of each group, `[heads, length, length]`.
    pub(super) biases: Vec<Tensor>,
}

impl SelfPlan {
    /// Plans for rows that are given by the positions of their tokens; with `causal`, no token sees a later one.
    pub(super) fn new(rows: &[Vec<i64>], table: &PositionTable, causal: bool, device: Device) -> Self {
        let longest = rows.iter().flatten().max().map_or(1, |position| position + 1);
        let square = table.square(longest); // [heads, longest, longest]
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let mut plan = Self { lengths: Vec::new(), biases: Vec::new() };
        for members in group(&lengths, device) {
            let positions: Vec<i64> = rows[members.clone()].concat();
            let tokens = positions.len() as i64;
            let in_order = positions.iter().enumerate().all(|(index, position)| index as i64 == *position);
            let bias = if in_order {
                square.narrow(1, 0, tokens).narrow(2, 0, tokens)
            } else {
                let index = Tensor::from_slice(&positions).to_device(device);
                square.index_select(1, &index).index_select(2, &index)
            };
            // Added out of place: a bias that is in order is a view, and all groups look at the same square.
            let bias = if causal || members.len() > 1 {
                let owner = owners(&lengths[members]);
                let visible = |query: usize, key: usize| owner[query] == owner[key] && (!causal || key <= query);
                bias + mask(owner.len(), owner.len(), device, table.kind(), visible)
            } else {
                bias
            };
            plan.lengths.push(tokens);
            plan.biases.push(bias);
        }
        plan
    }
}

/// The plan of cross-attention: which target tokens look at which part of the encoder's output.
#[derive(Debug)]
pub(super) struct CrossPlan {
    /// Target tokens of each group, in packed order.
    pub(super) queries: Vec<i64>,
    /// Encoder output of each group, `[tokens, d_model]`.
    pub(super) memories: Vec<Tensor>,
    /// Mask of each group, `[target tokens, encoder tokens]`, where the group has more than one row.
    pub(super) masks: Vec<Option<Tensor>>,
}

impl CrossPlan {
    /// Plans for the encoder outputs of some rows, each `[tokens, d_model]`, and the number of target tokens of each.
    pub(super) fn new(memories: &[Tensor], queries: &[usize]) -> Self {
        let mut plan = Self { queries: Vec::new(), memories: Vec::new(), masks: Vec::new() };
        let Some(first) = memories.first() else { return plan };
        let (device, kind) = (first.device(), first.kind());
        let lengths: Vec<usize> = memories.iter().map(|memory| memory.size()[0] as usize).collect();
        for members in group(&lengths, device) {
            let tokens: usize = queries[members.clone()].iter().sum();
            if tokens == 0 {
                continue;
            }
            plan.queries.push(tokens as i64);
            if members.len() == 1 {
                plan.memories.push(memories[members.start].shallow_clone());
                plan.masks.push(None);
                continue;
            }
            let (asks, answers) = (owners(&queries[members.clone()]), owners(&lengths[members.clone()]));
            plan.memories.push(Tensor::cat(&memories[members], 0));
            plan.masks
                .push(Some(mask(asks.len(), answers.len(), device, kind, |query, key| asks[query] == answers[key])));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_neighbours_within_the_limit() {
        assert_eq!(group(&[70, 10, 20, 40, 64, 1], Device::Cpu), vec![0..1, 1..3, 3..4, 4..5, 5..6]);
        assert_eq!(group(&[], Device::Cpu), Vec::<Range<usize>>::new());
        assert_eq!(group(&[3, 3, 3], Device::Cuda(0)), vec![0..3]);
    }

    #[test]
    fn a_mask_stays_in_its_own_group() {
        let table = PositionTable::new(Tensor::zeros([8, 2], (Kind::Float, Device::Cpu)), false, 20);
        let long = || (0..70).collect::<Vec<i64>>();
        let plan = SelfPlan::new(&[long(), long()], &table, true, Device::Cpu);
        assert_eq!(plan.lengths, [70, 70]);
        assert!(plan.biases[0].equal(&plan.biases[1]));
        assert_eq!(plan.biases[0].double_value(&[1, 0, 1]), f64::from(f32::MIN));
    }

    #[test]
    fn a_group_hides_other_rows_and_later_tokens() {
        let table = PositionTable::new(Tensor::zeros([8, 2], (Kind::Float, Device::Cpu)), false, 20);
        let plan = SelfPlan::new(&[vec![0, 1], vec![0]], &table, true, Device::Cpu);
        let visible = Vec::<bool>::try_from(plan.biases[0].select(0, 1).ge(-1.0).view(-1)).unwrap();
        assert_eq!(visible, [true, false, false, true, true, false, false, false, true]);
    }
}
