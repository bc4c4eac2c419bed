//! The same for many things, on several threads where that is quicker.

use rayon::prelude::*;

/// Waking threads for fewer than this takes longer than doing it.
const MANY: usize = 64;

/// What `each` makes of the items, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    if items.len() < MANY { items.iter().map(each).collect() } else { items.par_iter().map(each).collect() }
}

/// Does both, side by side when they are about so many things.
pub fn both<A: Send, B: Send>(
    count: usize,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if count < MANY { (one(), other()) } else { rayon::join(one, other) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_stands_among_few_and_among_many() {
        for count in [0, 1, 63, 64, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(super::map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
            assert_eq!(super::both(count, || items.len(), || items.first()), (count, items.first()));
        }
    }
}
