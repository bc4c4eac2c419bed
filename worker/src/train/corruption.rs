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
        let masked = ((length as f64 * self.noise).round() as usize).clamp(1, length.saturating_sub(1).max(1));
        let kept = length - masked.min(length);
        let spans = (masked as f64 / self.span).round() as usize;
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
    use compt::base::random::Stream;
    use proptest::prelude::*;

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
            // T5's `random_spans_noise_mask`: round(0.15 n) tokens in round(that / 3) spans, at least one of each.
            let masked = pair.target.len() - 1 - used.len();
            let expected = ((length as f64 * 0.15).round() as usize).clamp(1, (length - 1).max(1));
            prop_assert_eq!(masked, expected);
            if length > 1 {
                prop_assert_eq!(used.len(), ((expected as f64 / 3.0).round() as usize).max(1));
                prop_assert_eq!(pair.source[0], text[0], "the first token is never masked");
            }
        }
    }

    #[test]
    fn masks_differ_by_stream_and_repeat_themselves() {
        let text: Vec<i64> = (10..74).collect();
        let mask = |seed| corruption().pair(&text, &mut Stream::new(seed, &["mask"])).source;
        assert_eq!(mask(1), mask(1));
        assert_ne!(mask(1), mask(2));
    }
}
