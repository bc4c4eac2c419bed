//! How long a run will take, from how long its stages took: the order of starting and an honest estimate of the end.

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

/// Seconds until the run ends: the longest path, or the heavy work shared by `jobs` workers when that is longer.
/// `seconds[i]` is what node `i` still needs (0 when it has ended); `None` as soon as one is unknown.
pub fn seconds_left(readers: &[Vec<usize>], seconds: &[Option<f64>], heavy: &[bool], jobs: usize) -> Option<f64> {
    let seconds: Vec<f64> = seconds.iter().copied().collect::<Option<_>>()?;
    let longest = remaining_paths(readers, &seconds).into_iter().fold(0.0, f64::max);
    let work: f64 = seconds.iter().zip(heavy).filter(|(_, heavy)| **heavy).map(|(seconds, _)| seconds).sum();
    Some(longest.max(work / jobs.max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::{remaining_paths, seconds_left};

    #[test]
    fn the_longest_path_counts() {
        // 0 -> 1 -> 3, 0 -> 2 -> 3
        let readers = [vec![1, 2], vec![3], vec![3], vec![]];
        assert_eq!(remaining_paths(&readers, &[1.0, 10.0, 2.0, 4.0]), [15.0, 14.0, 6.0, 4.0]);
    }

    #[test]
    fn an_unknown_duration_leaves_the_end_unknown() {
        let apart = vec![Vec::new(); 4];
        let chain = [vec![1], vec![2], vec![3], vec![]];
        let known = [Some(6.0); 4];
        assert_eq!(seconds_left(&apart, &known, &[true; 4], 2), Some(12.0));
        assert_eq!(seconds_left(&apart, &known, &[false; 4], 2), Some(6.0));
        assert_eq!(seconds_left(&chain, &known, &[true; 4], 2), Some(24.0));
        assert_eq!(seconds_left(&chain, &[Some(0.0), Some(0.0), Some(1.0), None], &[true; 4], 2), None);
        assert_eq!(seconds_left(&[], &[], &[], 2), Some(0.0));
    }
}
