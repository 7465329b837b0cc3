//! Finds where a signal resembles itself: its pitch, or where two pieces of it can be joined unheard.

/// The widest window, in samples: 10 ms at 48 kHz.
const WIDEST: usize = 480;
/// The longest way to look: 20 ms at 48 kHz, and the window.
const LONGEST: usize = 960 + WIDEST;
/// Samples per second at which the search is coarse enough to be cheap and fine enough to see a pitch.
const COARSE_RATE: u32 = 8_000;

/// How much better a place further on must be, so that the nearest of several periods is found.
const NEARER: f32 = 0.002;

/// Where a piece resembles another most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    /// Where in the place searched.
    pub(super) offset: usize,
    /// How much, -1..=1.
    pub(super) correlation: f32,
}

/// A search with its working memory.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Samples per coarse sample.
    ratio: usize,
    piece: Box<[f32]>,
    place: Box<[f32]>,
}

impl Search {
    pub(super) fn new(sample_rate: u32) -> Self {
        Self {
            ratio: (sample_rate / COARSE_RATE).max(1) as usize,
            piece: vec![0.0; WIDEST].into_boxed_slice(),
            place: vec![0.0; LONGEST].into_boxed_slice(),
        }
    }

    /// Where in `place` a stretch begins that resembles `piece` most, not before `from`. `None`: the place is too short.
    pub(super) fn find(&mut self, piece: &[i16], place: &[i16], from: usize) -> Option<Match> {
        let piece = piece.get(..WIDEST.min(piece.len()))?;
        let place = place.get(..LONGEST.min(place.len()))?;
        let last = place.len().checked_sub(piece.len())?;
        let coarse_piece = shrink(piece, self.ratio, &mut self.piece);
        let coarse_place = shrink(place, self.ratio, &mut self.place);
        let (first, furthest) = (from.div_ceil(self.ratio), last / self.ratio);
        let coarse = best(coarse_piece, coarse_place, first, furthest, NEARER)?;
        if self.ratio == 1 {
            return Some(coarse);
        }
        let middle = coarse.offset * self.ratio;
        let fine_piece = shrink(piece, 1, &mut self.piece);
        let fine_place = shrink(place, 1, &mut self.place);
        let (first, last) = (
            from.max(middle.saturating_sub(self.ratio)),
            last.min(middle + self.ratio),
        );
        best(fine_piece, fine_place, first, last, 0.0)
    }
}

/// The mean of every `ratio` samples.
fn shrink<'a>(samples: &[i16], ratio: usize, output: &'a mut [f32]) -> &'a [f32] {
    let count = samples.len() / ratio;
    for (chunk, sample) in samples.chunks_exact(ratio).zip(output.iter_mut()) {
        *sample = chunk.iter().map(|&sample| f32::from(sample)).sum();
    }
    output.get(..count).unwrap_or_default()
}

/// The offset from `first` to `last` with the highest normalised correlation, at least `better` higher than all before it.
fn best(piece: &[f32], place: &[f32], first: usize, last: usize, better: f32) -> Option<Match> {
    let own = dot(piece, piece);
    let mut found: Option<Match> = None;
    for offset in first..=last {
        let Some(stretch) = place.get(offset..offset + piece.len()) else {
            break;
        };
        let energy = own * dot(stretch, stretch);
        let correlation = if energy > 0.0 {
            dot(piece, stretch) / energy.sqrt()
        } else {
            0.0
        };
        if found.is_none_or(|found| correlation > found.correlation + better) {
            found = Some(Match { offset, correlation });
        }
    }
    found
}

/// The scalar product, in lanes that a compiler can put side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The mean power of samples.
pub(super) fn power(samples: &[i16]) -> f32 {
    let sum: f32 = samples
        .iter()
        .map(|&sample| f32::from(sample) * f32::from(sample))
        .sum();
    sum / samples.len().max(1) as f32
}

/// Goes over from what is in `samples` to `next`, evenly.
pub(super) fn cross_fade(samples: &mut [i16], next: &[i16]) {
    let step = 1.0 / (samples.len() + 1) as f32;
    let mut weight = 0.0;
    for (sample, &next) in samples.iter_mut().zip(next) {
        weight += step;
        *sample = (f32::from(*sample) * (1.0 - weight) + f32::from(next) * weight) as i16;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn wave(rate: u32, hertz: f32, count: usize) -> Vec<i16> {
        let sample = |n| (n as f32 * hertz * std::f32::consts::TAU / rate as f32).sin() * 8_000.0;
        (0..count).map(|n| sample(n) as i16).collect()
    }

    #[test]
    fn the_pitch_of_a_tone_is_its_period() {
        for rate in [8_000, 16_000, 48_000] {
            let tone = wave(rate, 200.0, rate as usize / 25);
            let window = rate as usize / 100;
            let found = Search::new(rate)
                .find(&tone[..window], &tone[..3 * window / 2 + window], window / 4)
                .unwrap();
            assert!(
                found.offset.abs_diff(rate as usize / 200) <= rate as usize / 8_000,
                "{rate}: {found:?}"
            );
            assert!(found.correlation > 0.99);
        }
    }

    #[test]
    fn nothing_resembles_silence_and_nothing_is_found_in_too_little() {
        let mut search = Search::new(8_000);
        assert_eq!(
            search.find(&[0; 80], &[0; 200], 0).map(|found| found.correlation),
            Some(0.0)
        );
        assert_eq!(search.find(&[1; 80], &[1; 79], 0), None);
        assert_eq!(search.find(&[1; 80], &[1; 80], 1), None);
    }

    #[test]
    fn a_cross_fade_goes_from_one_to_the_other_without_a_jump() {
        let mut samples = [1_000; 99];
        cross_fade(&mut samples, &[-1_000; 99]);
        assert!(samples[0].abs_diff(980) <= 1 && samples[98].abs_diff(-980) <= 1);
        assert!(
            samples
                .windows(2)
                .all(|pair| (19..=21).contains(&(pair[0] - pair[1])))
        );
    }
}
