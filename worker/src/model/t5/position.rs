//! Relative positions: buckets of distances, and the bias that self-attention adds for them (METHODS 1.1).

use tch::{Kind, Tensor};

/// The bucket of a relative position `key - query`.
///
/// The encoder looks both ways and spends half of the buckets on each; the decoder puts everything that lies ahead in
/// bucket 0. The logarithm is taken in float32, as Hugging Face takes it.
#[must_use]
pub fn bucket(relative: i64, bidirectional: bool, buckets: i64, max_distance: i64) -> i64 {
    let (base, buckets, distance) = match bidirectional {
        true => (if relative > 0 { buckets / 2 } else { 0 }, buckets / 2, relative.abs()),
        false => (0, buckets, (-relative).max(0)),
    };
    let exact = buckets / 2;
    if distance < exact {
        return base + distance;
    }
    let ratio = (distance as f32 / exact as f32).ln();
    let range = (max_distance as f64 / exact as f64).ln() as f32;
    let far = exact + (ratio / range * (buckets - exact) as f32) as i64;
    base + far.min(buckets - 1)
}

/// The one table of a stack; every block of the stack adds the bias that it gives.
#[derive(Debug)]
pub(super) struct PositionTable {
    /// `[buckets, heads]`
    table: Tensor,
    bidirectional: bool,
    max_distance: i64,
}

impl PositionTable {
    /// Takes the table of `[buckets, heads]`; the encoder's is bidirectional.
    pub(super) fn new(table: Tensor, bidirectional: bool, max_distance: i64) -> Self {
        Self { table, bidirectional, max_distance }
    }

    fn bucket(&self, relative: i64) -> i64 {
        bucket(relative, self.bidirectional, self.table.size()[0], self.max_distance)
    }

    /// The bias between all positions `0..length`: `[heads, length (queries), length (keys)]`.
    pub(super) fn square(&self, length: i64) -> Tensor {
        // The bias depends on `key - query` alone, so it is a window that slides over one list of 2 * length - 1 values.
        let buckets: Vec<i64> = (1 - length..length).map(|relative| self.bucket(relative)).collect();
        let index = Tensor::from_slice(&buckets).to_device(self.table.device());
        let values = self.table.index_select(0, &index).transpose(0, 1); // [heads, 2 * length - 1]
        values.unfold(1, length, 1).flip([1])
    }

    /// The bias of the query at the last of `length` positions: `[heads, 1, length]`.
    pub(super) fn last_row(&self, length: i64) -> Tensor {
        let buckets: Vec<i64> = (0..length).map(|key| self.bucket(key - (length - 1))).collect();
        let index = Tensor::from_slice(&buckets).to_device(self.table.device());
        self.table.index_select(0, &index).transpose(0, 1).unsqueeze(1)
    }

    /// The number type of the bias.
    pub(super) fn kind(&self) -> Kind {
        self.table.kind()
    }
}
