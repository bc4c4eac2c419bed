//! Span corruption as T5 does it: some spans of a text are masked, and the target spells them out.

use compt::base::random::Stream;

use super::data::Pair;

/// How texts are masked.
#[derive(Clone, Debug)]
pub struct Corruption {
    /// The part of the tokens that is masked.
    pub noise: f64,
    /// The mean length of a masked span.
    pub span: f64,
    /// The ids that stand for masked spans, first to last.
    pub sentinels: Vec<i64>,
    /// The end of sequence.
    pub end: i64,
}

impl Corruption {
    /// The text with each masked span replaced by a sentinel, and as target each sentinel with the span it stands for.
    /// Both end in the end of sequence. A text begins with a token that is kept and ends with one that is masked, as in
    /// the original code; one of a single token is masked whole.
    pub fn pair(&self, text: &[i64], stream: &mut Stream) -> Pair {
        let length = text.len();
        let masked = rounded(length as f32 * self.noise as f32).clamp(1, length.saturating_sub(1).max(1));
        let kept = length - masked.min(length);
        let spans = rounded(masked as f32 / self.span as f32);
        let spans = spans.clamp(1, self.sentinels.len()).min(masked).min(kept.max(1));
        let hidden = parts(masked, spans, stream);
        let shown = if kept == 0 { vec![0; spans] } else { parts(kept, spans, stream) };
        let (mut source, mut target) = (Vec::with_capacity(length + 1), Vec::with_capacity(masked + spans + 1));
        let mut rest = text;
        for ((shown, hidden), sentinel) in shown.into_iter().zip(hidden).zip(&self.sentinels) {
            let (open, more) = rest.split_at(shown);
            let (span, more) = more.split_at(hidden.min(more.len()));
            source.extend_from_slice(open);
            source.push(*sentinel);
            target.push(*sentinel);
            target.extend_from_slice(span);
            rest = more;
        }
        source.push(self.end);
        target.push(self.end);
        Pair { source, target }
    }
}

/// As T5 rounds: in single precision, halves to the even number.
fn rounded(number: f32) -> usize {
    number.round_ties_even() as usize
}

/// `total` as a sum of `count` numbers of at least 1, all such sums equally likely. `1 <= count <= total`.
fn parts(total: usize, count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut borders: Vec<usize> = (1..total).collect();
    stream.shuffle(&mut borders);
    borders.truncate(count - 1);
    borders.extend([0, total]);
    borders.sort_unstable();
    borders.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use compt::base::random::Stream;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::Corruption;

    fn corruption() -> Corruption {
        Corruption { noise: 0.15, span: 3.0, sentinels: (900..1000).rev().collect(), end: 1 }
    }

    /// Puts the spans of a target back into the source.
    fn restored(source: &[i64], target: &[i64]) -> Vec<i64> {
        let is_sentinel = |id: &i64| *id >= 900;
        let mut text = Vec::new();
        for id in &source[..source.len() - 1] {
            if is_sentinel(id) {
                let at = target.iter().position(|other| other == id).unwrap();
                text.extend(target[at + 1..target.len() - 1].iter().take_while(|id| !is_sentinel(id)));
            } else {
                text.push(*id);
            }
        }
        text
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_rates_are_t5s(length in 1usize..200, seed in 0u64..1000) {
            let text: Vec<i64> = (0..length as i64).map(|n| 10 + n % 800).collect();
            let corruption = corruption();
            let pair = corruption.pair(&text, &mut Stream::new(seed, &["mask"]));
            prop_assert_eq!(&restored(&pair.source, &pair.target), &text);
            prop_assert_eq!((pair.source.last(), pair.target.last()), (Some(&1), Some(&1)));
            let sentinels = |ids: &[i64]| ids.iter().copied().filter(|id| *id >= 900).collect::<Vec<_>>();
            let used = sentinels(&pair.source);
            prop_assert_eq!(&used, &corruption.sentinels[..used.len()], "in order, each once");
            prop_assert_eq!(&sentinels(&pair.target), &used);
            if length > 1 {
                prop_assert_eq!(pair.source[0], text[0], "the first token is never masked");
            }
            prop_assert_eq!(pair.target[pair.target.len() - 2], text[length - 1], "the last one always is");
        }
    }

    #[test]
    fn masks_differ_by_stream_and_repeat_themselves() {
        let text: Vec<i64> = (10..74).collect();
        let mask = |seed| corruption().pair(&text, &mut Stream::new(seed, &["mask"])).source;
        assert_eq!(mask(1), mask(1));
        assert_ne!(mask(1), mask(2));
    }

    /// What `tests/data/oracle/spans.py` says of T5's own algorithm.
    #[derive(Deserialize)]
    struct Oracle {
        settings: Vec<Setting>,
        drawn: Drawn,
    }

    #[derive(Deserialize)]
    struct Setting {
        noise: f64,
        span: f64,
        length_noise_spans: Vec<[usize; 3]>,
    }

    /// How often its masks had runs of which length.
    #[derive(Deserialize)]
    struct Drawn {
        length: usize,
        draws: usize,
        noise: Vec<(usize, usize)>,
        kept: Vec<(usize, usize)>,
    }

    fn oracle() -> Oracle {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/oracle/spans.json");
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
    }

    /// The lengths of what stands between sentinels, without the end mark.
    fn runs(ids: &[i64]) -> Vec<usize> {
        ids[..ids.len() - 1].split(|id| *id >= 10_000).map(<[i64]>::len).collect()
    }

    /// The lengths of the kept and of the masked runs of a text of so many tokens.
    fn masked(noise: f64, span: f64, length: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let corruption = Corruption { noise, span, sentinels: (10_000..11_000).collect(), end: 1 };
        let text: Vec<i64> = (0..length as i64).map(|n| 10 + n).collect();
        let pair = corruption.pair(&text, &mut Stream::new(seed, &["mask"]));
        let (kept, noisy) = (runs(&pair.source), runs(&pair.target));
        // Nothing follows the last sentinel of the source, and nothing stands before the first of the target.
        assert_eq!((kept.last(), noisy.first()), (Some(&0), Some(&0)));
        (kept[..kept.len() - 1].to_vec(), noisy[1..].to_vec())
    }

    #[test]
    fn as_many_tokens_in_as_many_spans_as_t5_masks() {
        for Setting { noise, span, length_noise_spans } in oracle().settings {
            for [length, tokens, spans] in length_noise_spans {
                let (kept, noisy) = masked(noise, span, length, 3);
                let found = [length, noisy.iter().sum(), noisy.len()];
                assert_eq!(found, [length, tokens, spans], "{noise} in spans of {span}");
                assert_eq!(kept.len(), spans);
                assert!(kept.iter().chain(&noisy).all(|run| *run > 0), "{length}: {kept:?} {noisy:?}");
            }
        }
    }

    #[test]
    fn spans_are_as_long_as_t5s() {
        let Drawn { length, draws, noise, kept } = oracle().drawn;
        let (mut all_kept, mut all_noisy) = (BTreeMap::new(), BTreeMap::new());
        let ours = 10_000;
        for seed in 0..ours {
            let (kept, noisy) = masked(0.15, 3.0, length, seed);
            kept.into_iter().for_each(|run| *all_kept.entry(run).or_insert(0) += 1);
            noisy.into_iter().for_each(|run| *all_noisy.entry(run).or_insert(0) += 1);
        }
        for (theirs, found) in [(noise, all_noisy), (kept, all_kept)] {
            let lengths = theirs.iter().map(|(run, _)| run).chain(found.keys());
            let theirs: BTreeMap<usize, usize> = theirs.iter().copied().collect();
            for run in lengths {
                // How many such runs a mask has, on average; about Poisson's, so its variance is its mean over the draws.
                let expected = theirs.get(run).map_or(0.0, |count| *count as f64 / draws as f64);
                let rate = found.get(run).map_or(0.0, |count: &i32| f64::from(*count) / ours as f64);
                let deviation = (expected.max(1e-4) * (1.0 / ours as f64 + 1.0 / draws as f64)).sqrt();
                assert!((rate - expected).abs() < 5.0 * deviation, "runs of {run}: {rate}, T5 {expected}");
            }
        }
    }
}
