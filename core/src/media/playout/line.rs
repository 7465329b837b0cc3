//! The samples around the moment: what has been played last, and what is ready to be played next.
//!
//! ```text
//! [ ..... past (40 ms at least) ..... | ahead ....... |  room  ]
//!                                     next            end
//! ```

/// A buffer of samples with a moment in it. Nothing is allocated after its making.
#[derive(Clone, Debug)]
pub(super) struct Line {
    samples: Box<[i16]>,
    /// How many samples of the past are kept.
    past: usize,
    next: usize,
    end: usize,
}

impl Line {
    /// A line that remembers so many samples and takes so many more; the past is silence.
    pub(super) fn new(past: usize, ahead: usize) -> Self {
        Self {
            samples: vec![0; 2 * past + ahead].into_boxed_slice(),
            past,
            next: past,
            end: past,
        }
    }

    /// Samples ready to be played.
    pub(super) fn ahead(&self) -> usize {
        self.end - self.next
    }

    /// The last `count` samples before the moment and all after it.
    pub(super) fn around(&mut self, count: usize) -> &mut [i16] {
        let begin = self.next - count.min(self.past);
        &mut self.samples[begin..self.end]
    }

    /// The last `count` samples of all, played or not.
    pub(super) fn last(&self, count: usize) -> &[i16] {
        &self.samples[self.end - count.min(self.past)..self.end]
    }

    /// Room for samples at the end, of which [`append`](Self::append) takes some; less than `count` if the line is full.
    pub(super) fn room(&mut self, count: usize) -> &mut [i16] {
        if self.samples.len() - self.end < count {
            let begin = self.next - self.past;
            self.samples.copy_within(begin..self.end, 0);
            self.end -= begin;
            self.next -= begin;
        }
        let until = self.samples.len().min(self.end + count);
        &mut self.samples[self.end..until]
    }

    /// So many samples have been written into the room. Returns them.
    pub(super) fn append(&mut self, count: usize) -> &mut [i16] {
        let begin = self.end;
        self.end = self.samples.len().min(self.end + count);
        &mut self.samples[begin..self.end]
    }

    /// Leaves out `count` samples from the next one on.
    pub(super) fn leave_out(&mut self, at: usize, count: usize) {
        let begin = self.end.min(self.next + at);
        let count = count.min(self.end - begin);
        self.samples.copy_within(begin + count..self.end, begin);
        self.end -= count;
    }

    /// Moves what is from the next sample on `count` samples later; the samples between stay as they were.
    pub(super) fn make_space(&mut self, count: usize) {
        if self.room(count).len() < count {
            return;
        }
        self.samples.copy_within(self.next..self.end, self.next + count);
        self.end += count;
    }

    /// Plays as many samples as `output` holds; silence for those there are not.
    pub(super) fn play(&mut self, output: &mut [i16]) {
        let count = output.len().min(self.ahead());
        let (samples, rest) = output.split_at_mut(count);
        samples.copy_from_slice(&self.samples[self.next..self.next + count]);
        rest.fill(0);
        self.next += count;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn write(line: &mut Line, samples: &[i16]) {
        line.room(samples.len()).copy_from_slice(samples);
        line.append(samples.len());
    }

    #[test]
    fn what_goes_in_comes_out_for_ever() {
        let mut line = Line::new(4, 8);
        let mut output = [0; 3];
        for n in 0..1_000_i16 {
            write(&mut line, &[n, n + 1, n + 2]);
            line.play(&mut output);
            assert_eq!(output, [n, n + 1, n + 2]);
        }
        assert_eq!(line.last(4), [1_000, 999, 1_000, 1_001]);
        line.play(&mut output);
        assert_eq!(output, [0; 3]);
    }

    #[test]
    fn samples_are_left_out_and_put_in_at_the_moment() {
        let mut line = Line::new(4, 8);
        write(&mut line, &[1, 2, 3, 4, 5]);
        line.play(&mut [0; 2]);
        line.leave_out(1, 1);
        assert_eq!(line.around(2), [1, 2, 3, 5]);
        line.make_space(2);
        assert_eq!(line.around(2), [1, 2, 3, 5, 3, 5]);
        line.leave_out(1, 9);
        assert_eq!(line.ahead(), 1);
    }

    #[test]
    fn a_full_line_takes_no_more() {
        let mut line = Line::new(2, 4);
        let room = line.room(100).len();
        line.append(1_000);
        assert_eq!(line.ahead(), room);
        line.make_space(1);
        assert_eq!(line.ahead(), room);
    }
}
