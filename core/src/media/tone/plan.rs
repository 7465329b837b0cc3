//! What the ear knows as "free", "busy" and "no line", by country: values of ITU-T E.180, supplement 2.
//!
//! The browser has the same table (`web/app/src/audio/tone-plans.ts`); a test compares them.

use super::{Note, Notes, Pattern, Shape};

/// Peak amplitude of a tone: -11.8 dBm0. E.180 recommends -10 dBm0, give or take five.
const LEVEL: f32 = 0.18;

/// Frequencies that sound and are silent in turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cadence {
    /// One or two, in Hz, together.
    pub hertz: &'static [f32],
    /// Of sound and silence in turn, beginning with sound.
    pub milliseconds: &'static [u32],
}

/// The tones of one country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TonePlan {
    /// The far end rings.
    pub ringback: Cadence,
    /// The far end is busy.
    pub busy: Cadence,
    /// There is no way to the far end.
    pub congestion: Cadence,
    /// Another call is waiting.
    pub waiting: Cadence,
}

impl Cadence {
    pub(super) fn note(&self, index: usize) -> Option<Note> {
        let milliseconds = *self.milliseconds.get(index)?;
        let hertz = |at| self.hertz.get(at).copied().unwrap_or_default();
        let is_sound = index.is_multiple_of(2);
        let hertz = if is_sound { [hertz(0), hertz(1)] } else { [0.0; 2] };
        Some(Note::new(milliseconds, LEVEL, hertz))
    }
}

impl From<Cadence> for Pattern {
    fn from(cadence: Cadence) -> Self {
        Self {
            notes: Notes::Cadence(cadence),
            shape: Shape::Steady,
            repeats: true,
        }
    }
}

impl TonePlan {
    /// The plan of a country by its two letters (ISO 3166-1), that of the recommendation itself where none is known.
    pub fn of(country: &str) -> Self {
        let known = PLANS.iter().find(|(name, _)| name.eq_ignore_ascii_case(country));
        known.map_or(GENERIC, |(_, plan)| *plan)
    }

    /// The plans there are, with their countries.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        PLANS.iter().copied()
    }

    /// All tones have the same frequency.
    const fn plain(
        hertz: &'static [f32],
        ringback: &'static [u32],
        busy: &'static [u32],
        congestion: &'static [u32],
        waiting: &'static [u32],
    ) -> Self {
        Self {
            ringback: cadence(hertz, ringback),
            busy: cadence(hertz, busy),
            congestion: cadence(hertz, congestion),
            waiting: cadence(hertz, waiting),
        }
    }
}

const fn cadence(hertz: &'static [f32], milliseconds: &'static [u32]) -> Cadence {
    Cadence { hertz, milliseconds }
}

/// E.180 itself.
const GENERIC: TonePlan = TonePlan::plain(
    &[425.0],
    &[1_000, 4_000],
    &[500, 500],
    &[250, 250],
    &[200, 600, 200, 5_000],
);

const PLANS: [(&str, TonePlan); 10] = [
    (
        "AT",
        TonePlan::plain(&[420.0], &[1_000, 5_000], &[400, 400], &[200, 200], &[40, 1_950]),
    ),
    (
        "BE",
        TonePlan::plain(
            &[425.0],
            &[1_000, 3_000],
            &[500, 500],
            &[167, 167],
            &[175, 175, 175, 3_500],
        ),
    ),
    (
        "CH",
        TonePlan::plain(
            &[425.0],
            &[1_000, 4_000],
            &[500, 500],
            &[200, 200],
            &[200, 200, 200, 4_000],
        ),
    ),
    (
        "DE",
        TonePlan::plain(
            &[425.0],
            &[1_000, 4_000],
            &[480, 480],
            &[240, 240],
            &[200, 200, 200, 5_000],
        ),
    ),
    (
        "ES",
        TonePlan::plain(
            &[425.0],
            &[1_500, 3_000],
            &[200, 200],
            &[200, 200, 200, 200, 200, 600],
            &[175, 175, 175, 3_500],
        ),
    ),
    (
        "FR",
        TonePlan::plain(
            &[440.0],
            &[1_500, 3_500],
            &[500, 500],
            &[250, 250],
            &[300, 10_000],
        ),
    ),
    (
        "GB",
        TonePlan {
            ringback: cadence(&[400.0, 450.0], &[400, 200, 400, 2_000]),
            busy: cadence(&[400.0], &[375, 375]),
            congestion: cadence(&[400.0], &[400, 350, 225, 525]),
            waiting: cadence(&[400.0], &[100, 4_000]),
        },
    ),
    (
        "IT",
        TonePlan::plain(
            &[425.0],
            &[1_000, 4_000],
            &[500, 500],
            &[200, 200],
            &[400, 100, 250, 100, 150, 14_000],
        ),
    ),
    (
        "NL",
        TonePlan::plain(&[425.0], &[1_000, 4_000], &[500, 500], &[250, 250], &[500, 9_500]),
    ),
    (
        "US",
        TonePlan {
            ringback: cadence(&[440.0, 480.0], &[2_000, 4_000]),
            busy: cadence(&[480.0, 620.0], &[500, 500]),
            congestion: cadence(&[480.0, 620.0], &[250, 250]),
            waiting: cadence(&[440.0], &[300, 9_700]),
        },
    ),
];

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const BROWSERS: &str = include_str!("../../../../web/app/src/audio/tone-plans.ts");

    /// The numbers of `text`, in their order, without what is in comments.
    fn numbers(text: &str) -> Vec<f32> {
        let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        words.filter_map(|word| word.parse().ok()).collect()
    }

    /// What the browser's source says for a plan: the frequencies once, or before each of the four tones.
    fn said(plan: &TonePlan) -> [Vec<f32>; 2] {
        let tones = [plan.ringback, plan.busy, plan.congestion, plan.waiting];
        let seconds = |tone: Cadence| tone.milliseconds.iter().map(|it| *it as f32 / 1_000.0);
        let each = |tone: Cadence| tone.hertz.iter().copied().chain(seconds(tone));
        let once = plan
            .busy
            .hertz
            .iter()
            .copied()
            .chain(tones.into_iter().flat_map(seconds));
        [once.collect(), tones.into_iter().flat_map(each).collect()]
    }

    /// The source of one plan, from its name to the next one's.
    fn written<'a>(name: &str, end: &str) -> &'a str {
        let (_, rest) = BROWSERS
            .split_once(name)
            .unwrap_or_else(|| panic!("no {name} in the browser"));
        rest.split_once(end).unwrap().0
    }

    #[test]
    fn the_browser_has_the_same_plans() {
        let next = |index: usize| {
            PLANS
                .get(index + 1)
                .map_or("};\n".to_owned(), |(name, _)| format!("\n  {name}: "))
        };
        for (index, (name, plan)) in PLANS.iter().enumerate() {
            let found = numbers(written(&format!("\n  {name}: "), &next(index)));
            assert!(said(plan).contains(&found), "{name}: the browser has {found:?}");
        }
        let generic = numbers(written("\nconst GENERIC", ");\n"));
        assert!(said(&GENERIC).contains(&generic), "the browser has {generic:?}");
        let names = written("const PLANS", "\n};").lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("  ")?.split_once(": ")?;
            name.chars().all(|c| c.is_ascii_uppercase()).then_some(name)
        });
        assert!(names.eq(PLANS.iter().map(|(name, _)| *name)), "no country more");
    }

    #[test]
    fn a_country_is_known_by_its_letters_and_any_other_has_the_common_plan() {
        assert_eq!(TonePlan::of("de"), TonePlan::of("DE"));
        assert_ne!(TonePlan::of("DE"), TonePlan::of("GB"));
        assert_eq!((TonePlan::of(""), TonePlan::of("XX")), (GENERIC, GENERIC));
    }
}
