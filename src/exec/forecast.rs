//! How long a run will take, from how long its stages took: the order of starting and an honest estimate of the end.

use std::sync::Arc;

/// For every node the seconds of the longest path from its start to the end of the run. `readers[i]` are the nodes that
/// read node `i`; they come later, because plans are in topological order.
pub fn remaining_paths(readers: &[Vec<usize>], seconds: &[f64]) -> Vec<f64> {
    let mut remaining = vec![0.0; seconds.len()];
    for node in (0..seconds.len()).rev() {
        let longest = readers[node].iter().map(|reader| remaining[*reader]).fold(0.0, f64::max);
        remaining[node] = seconds[node] + longest;
    }
    remaining
}

/// What a node takes while it runs: of each resource, known by a number, the part of all there is (0 to 1).
pub type Parts = Arc<[(usize, f64)]>;

/// Seconds until the run ends: the longest path, or the work that shares the scarcest resource when that is longer.
/// `seconds[i]` is what node `i` still needs (0 when it has ended); `None` as soon as one is unknown. `parts[i]` is what it
/// takes. No order of starting is faster; some are slower.
pub fn seconds_left(readers: &[Vec<usize>], seconds: &[Option<f64>], parts: &[Parts]) -> Option<f64> {
    let seconds: Vec<f64> = seconds.iter().copied().collect::<Option<_>>()?;
    let longest = remaining_paths(readers, &seconds).into_iter().fold(0.0, f64::max);
    let mut busy: Vec<f64> = Vec::new();
    for (seconds, parts) in seconds.iter().zip(parts) {
        for (resource, part) in parts.iter() {
            if busy.len() <= *resource {
                busy.resize(resource + 1, 0.0);
            }
            busy[*resource] += seconds * part;
        }
    }
    Some(busy.into_iter().fold(longest, f64::max))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Parts, remaining_paths, seconds_left};

    #[test]
    fn the_longest_path_counts() {
        // 0 -> 1 -> 3, 0 -> 2 -> 3
        let readers = [vec![1, 2], vec![3], vec![3], vec![]];
        assert_eq!(remaining_paths(&readers, &[1.0, 10.0, 2.0, 4.0]), [15.0, 14.0, 6.0, 4.0]);
    }

    /// Each takes one of `jobs` workers, or nothing.
    fn workers(heavy: &[bool], jobs: usize) -> Vec<Parts> {
        heavy.iter().map(|heavy| if *heavy { [(0, 1.0 / jobs as f64)].into() } else { [].into() }).collect()
    }

    #[test]
    fn the_scarcest_resource_counts() {
        let apart = vec![Vec::new(); 4];
        // Four workers; two of three stages need the only GPU, the third has half of the memory.
        let parts: [Parts; 4] =
            [[(0, 0.25), (1, 1.0)].into(), [(0, 0.25), (1, 1.0)].into(), [(0, 0.25), (2, 0.5)].into(), [].into()];
        let left = |seconds: [f64; 4]| seconds_left(&apart, &seconds.map(Some), &parts).unwrap();
        assert_eq!(left([6.0, 7.0, 5.0, 1.0]), 13.0, "one after the other on the GPU");
        assert_eq!(left([6.0, 1.0, 50.0, 1.0]), 50.0, "the longest alone");
        assert_eq!(left([1.0, 1.0, 1.0, 9.0]), 9.0);
    }

    #[test]
    fn an_unknown_duration_leaves_the_end_unknown() {
        let apart = vec![Vec::new(); 4];
        let chain = [vec![1], vec![2], vec![3], vec![]];
        let known = [Some(6.0); 4];
        assert_eq!(seconds_left(&apart, &known, &workers(&[true; 4], 2)), Some(12.0));
        assert_eq!(seconds_left(&apart, &known, &workers(&[false; 4], 2)), Some(6.0));
        assert_eq!(seconds_left(&chain, &known, &workers(&[true; 4], 2)), Some(24.0));
        assert_eq!(seconds_left(&chain, &[Some(0.0), Some(0.0), Some(1.0), None], &workers(&[true; 4], 2)), None);
        assert_eq!(seconds_left(&[], &[], &[]), Some(0.0));
    }

    /// Nodes with seconds, whether they are heavy, and edges to later nodes.
    fn graphs() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<f64>, Vec<bool>)> {
        let node = (0.0f64..100.0, any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..3));
        prop::collection::vec(node, 0..12).prop_map(|nodes| {
            let count = nodes.len();
            let readers = nodes.iter().enumerate().map(|(id, (.., edges))| {
                let later = edges.iter().filter(|_| id + 1 < count);
                later.map(|edge| id + 1 + edge.index(count - id - 1)).collect()
            });
            let readers = readers.collect();
            (readers, nodes.iter().map(|node| node.0).collect(), nodes.iter().map(|node| node.1).collect())
        })
    }

    /// The longest path the slow way: every path is walked.
    fn longest(readers: &[Vec<usize>], seconds: &[f64], node: usize) -> f64 {
        seconds[node] + readers[node].iter().map(|next| longest(readers, seconds, *next)).fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn the_end_is_never_told_too_early((readers, seconds, heavy) in graphs(), jobs in 1usize..5) {
            let known: Vec<Option<f64>> = seconds.iter().copied().map(Some).collect();
            let left = seconds_left(&readers, &known, &workers(&heavy, jobs)).unwrap();
            let path = (0..seconds.len()).map(|node| longest(&readers, &seconds, node)).fold(0.0, f64::max);
            let work: f64 = seconds.iter().zip(&heavy).filter(|(_, heavy)| **heavy).map(|(seconds, _)| seconds).sum();
            prop_assert!(left >= 0.0 && left >= path - 1e-9 && left >= work / jobs as f64 - 1e-9);
            // One after the other is always possible.
            prop_assert!(left <= seconds.iter().sum::<f64>() + 1e-9);
            prop_assert!(seconds_left(&readers, &known, &workers(&heavy, jobs + 1)).unwrap() <= left + 1e-9);
        }

        #[test]
        fn what_is_done_needs_nothing((readers, seconds, heavy) in graphs(), jobs in 1usize..5) {
            prop_assert_eq!(seconds_left(&readers, &vec![Some(0.0); seconds.len()], &workers(&heavy, jobs)), Some(0.0));
        }

        #[test]
        fn more_work_never_ends_earlier(
            (mut readers, seconds, heavy) in graphs(),
            jobs in 1usize..5,
            (added, more) in (0.0f64..50.0, 0.0f64..50.0),
            which in any::<prop::sample::Index>(),
        ) {
            let mut known: Vec<Option<f64>> = seconds.iter().copied().map(Some).collect();
            let before = seconds_left(&readers, &known, &workers(&heavy, jobs)).unwrap();
            // A stage takes longer; then there is one more, which something else waits for.
            if !seconds.is_empty() {
                let id = which.index(seconds.len());
                known[id] = Some(seconds[id] + more);
                readers[id].push(seconds.len());
            }
            let with_another = |added: f64| {
                let (readers, known) = ([&readers[..], &[Vec::new()]].concat(), [&known[..], &[Some(added)]].concat());
                seconds_left(&readers, &known, &workers(&[&heavy[..], &[true]].concat(), jobs))
            };
            let longer = with_another(0.0);
            prop_assert!(longer.unwrap() >= before - 1e-9);
            prop_assert!(with_another(added) >= longer);
        }
    }
}
