//! Plays a signal faster or slower without changing its pitch (WSOLA): leaves a period of it out, or puts one in, where it
//! resembles itself or nobody hears.
//!
//! ```text
//! faster:  a a a a b b b b c c c c  ->  a a a*b b b b c c c c     (* goes over from one period to the next)
//! slower:  a a a a b b b b          ->  a a a a b*a a a b b b b
//! ```

use super::line::Line;
use super::similarity::{Search, cross_fade, power};

/// When a joint is taken for unheard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// The least correlation of the two periods.
    pub(super) correlation: f32,
    /// A signal with less power than this may be joined anywhere.
    pub(super) quiet: f32,
}

/// Leaves out `most` samples at most. Tells how many it were; 0 if there is no good place.
pub(super) fn accelerate(
    line: &mut Line,
    search: &mut Search,
    times: Times,
    most: usize,
    tolerance: Tolerance,
) -> usize {
    let longest = most.min(line.ahead().saturating_sub(times.window));
    if longest < times.shortest {
        return 0;
    }
    let ahead = line.around(0);
    let place = &ahead[..longest.min(times.longest) + times.window];
    let lag = if power(&ahead[..longest + times.window]) < tolerance.quiet {
        longest
    } else {
        let found = search.find(&place[..times.window], place, times.shortest);
        let Some(found) = found.filter(|found| found.correlation >= tolerance.correlation) else {
            return 0;
        };
        found.offset
    };
    let overlap = lag.min(times.overlap);
    let (before, after) = ahead.split_at_mut(lag);
    cross_fade(&mut before[..overlap], after);
    line.leave_out(overlap, lag);
    lag
}

/// Puts in `most` samples at most. Tells how many it were; 0 if there is no good place.
pub(super) fn expand(
    line: &mut Line,
    search: &mut Search,
    times: Times,
    most: usize,
    tolerance: Tolerance,
) -> usize {
    let longest = most.min(times.longest);
    if longest < times.shortest || line.ahead() < times.window {
        return 0;
    }
    let around = line.around(longest);
    let (place, piece) = (
        &around[..longest - times.shortest + times.window],
        &around[longest..longest + times.window],
    );
    let lag = if power(&around[..longest + times.window]) < tolerance.quiet {
        longest
    } else {
        let found = search.find(piece, place, 0);
        let Some(found) = found.filter(|found| found.correlation >= tolerance.correlation) else {
            return 0;
        };
        longest - found.offset
    };
    line.make_space(lag);
    let (past, put_in) = line.around(lag).split_at_mut(lag);
    let overlap = lag.min(times.overlap);
    cross_fade(&mut put_in[..overlap], past);
    put_in[overlap..lag].copy_from_slice(&past[overlap..]);
    lag
}

/// Lengths, in samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The shortest period looked for: 2.5 ms, a high voice.
    pub(super) shortest: usize,
    /// The longest: 15 ms, a low one.
    pub(super) longest: usize,
    /// What is compared: 10 ms.
    pub(super) window: usize,
    /// How long it takes to go over from one period to another: 5 ms at most.
    pub(super) overlap: usize,
}

impl Times {
    pub(super) fn new(sample_rate: u32) -> Self {
        let quantum = (sample_rate / 400) as usize;
        Self {
            shortest: quantum,
            longest: 6 * quantum,
            window: 4 * quantum,
            overlap: 2 * quantum,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const RATE: u32 = 16_000;
    const STRICT: Tolerance = Tolerance {
        correlation: 0.9,
        quiet: 100.0,
    };

    fn tone(hertz: f32, amplitude: f32, count: usize) -> Vec<i16> {
        let sample = |n| (n as f32 * hertz * std::f32::consts::TAU / RATE as f32).sin() * amplitude;
        (0..count).map(|n| sample(n) as i16).collect()
    }

    fn line(past: &[i16], ahead: &[i16]) -> Line {
        let mut line = Line::new(640, 2_000);
        for part in [past, ahead] {
            line.room(part.len()).copy_from_slice(part);
            line.append(part.len());
        }
        line.play(&mut vec![0; past.len()]);
        line
    }

    /// The largest step between neighbours.
    fn roughness(samples: &[i16]) -> i32 {
        let steps = samples
            .windows(2)
            .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs());
        steps.max().unwrap_or(0)
    }

    #[test]
    fn a_tone_is_shortened_and_lengthened_by_whole_periods_without_a_click() {
        let samples = tone(200.0, 8_000.0, 1_280);
        let smooth = roughness(&samples);
        let (times, mut search) = (Times::new(RATE), Search::new(RATE));
        let mut shorter = line(&samples[..640], &samples[640..]);
        assert_eq!(accelerate(&mut shorter, &mut search, times, 240, STRICT), 80);
        assert_eq!(shorter.ahead(), 560);
        assert!(roughness(shorter.around(640)) <= smooth + 2);

        let mut longer = line(&samples[..640], &samples[640..]);
        let put_in = expand(&mut longer, &mut search, times, 240, STRICT);
        assert!(put_in > 0 && put_in.is_multiple_of(80), "{put_in}");
        assert_eq!(longer.ahead(), 640 + put_in);
        assert!(roughness(longer.around(640)) <= smooth + 2);
    }

    #[test]
    fn silence_is_changed_as_far_as_wanted() {
        let (times, mut search) = (Times::new(RATE), Search::new(RATE));
        let mut quiet = line(&[0; 640], &[0; 960]);
        assert_eq!(accelerate(&mut quiet, &mut search, times, 200, STRICT), 200);
        assert_eq!(expand(&mut quiet, &mut search, times, 200, STRICT), 200);
        assert_eq!(quiet.ahead(), 960);
    }

    #[test]
    fn what_does_not_resemble_itself_is_left_alone() {
        let mut random = 1_u32;
        let noise: Vec<i16> = (0..1_600)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 18) as i16 - 8_192
            })
            .collect();
        let (times, mut search) = (Times::new(RATE), Search::new(RATE));
        let mut line = line(&noise[..640], &noise[640..]);
        assert_eq!(accelerate(&mut line, &mut search, times, 240, STRICT), 0);
        assert_eq!(expand(&mut line, &mut search, times, 240, STRICT), 0);
        assert_eq!(line.ahead(), 960);
    }

    #[test]
    fn too_little_audio_is_left_alone() {
        let (times, mut search) = (Times::new(RATE), Search::new(RATE));
        for ahead in [0, 1, 160, 199] {
            let mut line = line(&[0; 640], &vec![0; ahead]);
            assert_eq!(accelerate(&mut line, &mut search, times, 240, STRICT), 0);
            assert_eq!(line.ahead(), ahead);
        }
    }
}
