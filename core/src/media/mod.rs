//! Media engine: sans-IO parts that every native call uses. It knows nothing of signalling.

pub mod codec;
pub mod hold_music;
pub mod level;
pub mod mixer;
pub mod playout;
pub mod quality;
pub mod rate;
pub mod sender_policy;
mod sine;
pub mod tone;

pub use hold_music::{HoldMusic, Melody};
pub use level::Level;
pub use mixer::{Mixer, Seat};
pub use playout::Playout;
pub use rate::{Decimator, Interpolator};
pub use sender_policy::{EncoderSettings, ReceptionReport, SenderPolicy};
pub use tone::{RingTone, Tone, TonePlan};
