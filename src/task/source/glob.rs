//! Path patterns: `*` stands for any characters but `/`, a pattern `**` alone for every path.

/// Whether `path` matches `pattern`.
pub fn matches(pattern: &str, path: &str) -> bool {
    if pattern == "**" {
        return true;
    }
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(path) = path.strip_prefix(start) else { return false };
    let reach = path.find('/').unwrap_or(path.len());
    (0..=reach).filter(|&at| path.is_char_boundary(at)).any(|at| matches_rest(rest, &path[at..]))
}

/// As [`matches`], where `**` has no meaning of its own.
fn matches_rest(pattern: &str, path: &str) -> bool {
    if pattern == "**" { !path.contains('/') } else { matches(pattern, path) }
}

/// Whether a relative path or pattern stays inside the folder it is read against.
pub fn stays_inside(path: &str) -> bool {
    !path.starts_with('/') && !path.contains('\\') && path.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::{matches, stays_inside};

    #[test]
    fn stars_stop_at_slashes() {
        assert!(matches("rte/train-*.parquet", "rte/train-00000-of-00001.parquet"));
        assert!(matches("*/a*b*c", "x/a-b-c"));
        assert!(matches("**", "a/b/c"));
        assert!(matches("plain", "plain"));
        for (pattern, path) in [
            ("rte/*.parquet", "rte/x/train.parquet"),
            ("rte/train-*", "rte/test-1"),
            ("a*b", "a/b"),
            ("plain", "plain2"),
            ("*.csv", "a.csv2"),
            ("a**", "a/b"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn paths_that_leave_are_seen() {
        assert!(stays_inside("a/b..c/*.csv") && stays_inside(""));
        for path in ["../a", "a/../b", "/etc", "a\\b"] {
            assert!(!stays_inside(path), "{path}");
        }
    }
}
