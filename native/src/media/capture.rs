//! What leaves in each frame: the microphone, or what is sent instead of it.

use clearline_core::MediaErrorKind;

use super::conference::Chair;
use super::hold::Music;
use crate::audio::{AudioSource, FRAME, Sound};

/// What leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outlet {
    /// The microphone and the conference, if there is one.
    #[default]
    Microphone,
    /// The conference alone.
    Muted,
    /// Music, for a party on hold.
    Music,
    /// Exact zeros.
    Silence,
}

impl Outlet {
    pub(super) const ALL: [Self; 4] = [Self::Microphone, Self::Muted, Self::Music, Self::Silence];
}

/// The microphone of a session, and the music it may play.
pub(super) struct Capture {
    source: Box<dyn AudioSource>,
    problem: Option<MediaErrorKind>,
    /// For a party on hold, while it plays.
    music: Option<Music>,
    /// What that is; without one, the melody.
    hold_sound: Option<Sound>,
}

impl Capture {
    pub(super) fn new(source: Box<dyn AudioSource>, hold_sound: Option<Sound>) -> Self {
        Self {
            source,
            problem: None,
            music: None,
            hold_sound,
        }
    }

    /// The next 20 ms. The microphone is always read, so that nothing stale comes out after hold or mute, and a round of the
    /// conference begins whether its sound is wanted or not.
    pub(super) fn frame(&mut self, outlet: Outlet, conference: Option<&mut Chair>) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        self.source.read(&mut frame);
        if outlet != Outlet::Microphone {
            frame.fill(0);
        }
        if let Some(chair) = conference {
            let mut unheard = [0; FRAME];
            let talks = matches!(outlet, Outlet::Microphone | Outlet::Muted);
            chair.hear(if talks { &mut frame } else { &mut unheard });
        }
        if outlet == Outlet::Music {
            let sound = self.hold_sound.as_ref();
            let music = self.music.get_or_insert_with(|| Music::new(sound));
            music.fill(&mut frame);
        } else if let Some(music) = self.music.take() {
            music.release(&mut frame);
        }
        frame
    }

    /// What has become of the microphone since the last time: lost, or (`None`) there again.
    pub(super) fn news(&mut self) -> Option<Option<MediaErrorKind>> {
        let problem = self.source.problem();
        let is_news = std::mem::replace(&mut self.problem, problem) != problem;
        is_news.then_some(problem)
    }
}

#[cfg(test)]
mod tests {
    use clearline_core::media::Level;
    use proptest::prelude::*;

    use super::*;

    /// A room that is never silent, with a microphone that comes and goes.
    struct Room {
        random: u32,
        is_lost: bool,
    }

    impl AudioSource for Room {
        fn read(&mut self, frame: &mut [i16]) {
            for sample in frame {
                self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = (self.random >> 16) as i16 | 1;
            }
            self.is_lost = self.random.is_multiple_of(3);
        }

        fn problem(&self) -> Option<MediaErrorKind> {
            self.is_lost.then_some(MediaErrorKind::NoDevice)
        }
    }

    fn capture(random: u32) -> Capture {
        let room = Room {
            random,
            is_lost: false,
        };
        Capture::new(Box::new(room), None)
    }

    fn outlets() -> impl Strategy<Value = Vec<Outlet>> {
        prop::collection::vec(prop::sample::select(&Outlet::ALL[..]), 1..40)
    }

    proptest! {
        /// Nothing of the room leaves while it shall not, whatever was before and whatever becomes of the microphone.
        #[test]
        fn muted_means_zeros(random: u32, outlets in outlets()) {
            let mut capture = capture(random);
            let mut before = Outlet::Silence;
            for outlet in outlets {
                let frame = capture.frame(outlet, None);
                let _ = capture.news();
                match outlet {
                    Outlet::Microphone => prop_assert!(!Level::of(&frame).is_silent()),
                    // The music fades for 5 ms.
                    Outlet::Muted | Outlet::Silence if before == Outlet::Music => {
                        prop_assert!(Level::of(&frame).peak() < 0.35 && Level::of(&frame[240..]).is_silent());
                    }
                    Outlet::Muted | Outlet::Silence => prop_assert!(Level::of(&frame).is_silent()),
                    Outlet::Music => prop_assert!(Level::of(&frame).peak() < 0.35, "music and no room"),
                }
                before = outlet;
            }
        }
    }

    #[test]
    fn a_microphone_that_comes_and_goes_is_told_once_each_time() {
        struct Flaky(bool);
        impl AudioSource for Flaky {
            fn read(&mut self, _frame: &mut [i16]) {
                self.0 = !self.0;
            }

            fn problem(&self) -> Option<MediaErrorKind> {
                self.0.then_some(MediaErrorKind::NoDevice)
            }
        }
        let mut capture = Capture::new(Box::new(Flaky(false)), None);
        assert_eq!(capture.news(), None);
        capture.frame(Outlet::Muted, None);
        assert_eq!(capture.news(), Some(Some(MediaErrorKind::NoDevice)));
        assert_eq!(capture.news(), None);
        capture.frame(Outlet::Muted, None);
        assert_eq!(capture.news(), Some(None));
    }
}
