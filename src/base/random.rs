//! Seeded random streams with names.
//!
//! Every random decision of the program draws from a stream named by its purpose (`"shuffle"`, `"init"`, ...) and by
//! what it is for (a task, a step). Streams are independent of each other, so that adding a task or changing the order
//! in which stages run moves no other number. ChaCha8 keyed by BLAKE3: the same bits on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One stream of random numbers.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of this `seed` with this name; each part of the name counts, and so do the borders between them.
    pub fn new(seed: u64, name: &[&str]) -> Self {
        Self(ChaCha8Rng::from_seed(key(seed, name)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal, by the Box-Muller transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Uniform in `0..bound`, without bias.
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "there is no number below zero");
        let bound = bound as u64;
        // Numbers of the last, incomplete copy of 0..bound are drawn again.
        let limit = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let bits = self.bits();
            if bits <= limit {
                return (bits % bound) as usize;
            }
        }
    }

    /// A uniformly random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A 64-bit seed for a generator that is not ours (libtorch's), from the same naming scheme.
pub fn seed_for(seed: u64, name: &[&str]) -> u64 {
    u64::from_le_bytes(key(seed, name)[..8].try_into().expect("eight bytes"))
}

fn key(seed: u64, name: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("compt 2026 random stream");
    hasher.update(&seed.to_le_bytes());
    for part in name {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::Stream;

    #[test]
    fn names_and_seeds_make_different_streams() {
        let first = |seed, name: &[&str]| Stream::new(seed, name).bits();
        assert_eq!(first(1, &["a", "b"]), first(1, &["a", "b"]));
        assert_ne!(first(1, &["a", "b"]), first(2, &["a", "b"]));
        assert_ne!(first(1, &["a", "b"]), first(1, &["ab"]));
    }

    #[test]
    fn below_is_uniform() {
        // 60,000 throws of a die: chi-square with 5 degrees of freedom stays below 20.5 (p = 0.001).
        let mut stream = Stream::new(7, &["die"]);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6)] += 1;
        }
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 20.5, "chi-square {chi}, counts {counts:?}");
    }

    #[test]
    fn normal_has_the_right_moments() {
        let mut stream = Stream::new(7, &["normal"]);
        let draws: Vec<f64> = (0..100_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 1e5;
        // Five standard errors: 1/sqrt(1e5) for the mean, sqrt(2/1e5) for the variance.
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023, "{mean} {variance}");
    }
}
