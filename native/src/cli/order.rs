//! What `clearline phone` understands: one order a line.

use std::str::FromStr;

/// An order to the phone. Those that name no call mean the one that is spoken in, else the only one there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Calls somebody; whoever is spoken with is put on hold before.
    Call(String),
    /// Takes the call that rings.
    Answer(Others),
    /// Refuses it.
    Decline,
    Hold,
    Resume,
    /// The held call and the one that is spoken in change places.
    Swap,
    /// The held call and the one that is spoken in become a conference.
    Merge,
    /// The conference ends with a talk to its newest party; the others are held.
    Split,
    /// The others of a conference go on without this phone.
    Leave,
    /// Who is in the conference.
    Participants,
    /// Somebody is brought into it.
    Add(String),
    /// Somebody is sent away from it.
    Remove(String),
    Mute(bool),
    Tones(String),
    End,
    /// Sends the far end to somebody.
    Transfer(String),
    /// Holds the far end and calls somebody, to ask there before.
    Consult(String),
    /// Who was asked takes the call.
    Complete,
    /// Who was asked does not.
    Cancel,
    /// Lets the far end send this phone to somebody else, or not.
    Consent(bool),
    /// Takes over the call of another device of the account.
    Take,
    /// Lets the account's other devices ring for the call, or the one that is named.
    Move(Option<String>),
    /// Which other devices there are.
    Devices,
    /// Which sound devices there are, and which are in use.
    Sound,
    /// Another device from now on; the system's default without one.
    Use(Device, Option<String>),
    /// Ends all calls and the program.
    Quit,
}

/// What a sound device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Microphone,
    Speaker,
    Ringer,
}

/// What becomes of the other calls when one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Held,
    Ended,
}

/// What can be ordered, for `--help` and for those who mistype.
pub(crate) const ORDERS: &str = "\
  call TARGET       call somebody; whoever you speak with is put on hold first
  answer [end]      take the call that rings; the others are held, or ended
  decline           refuse it
  hold, resume      the call you speak in, the call on hold
  swap              the two change places
  merge             whoever is on hold joins in: a conference
  split             talk to its newest party alone, the others are held
  leave             the others go on without you
  participants      who is in a conference of the platform
  add TARGET        bring somebody into it
  remove NAME       send somebody away from it
  mute, unmute      the microphone
  tones TONES       0-9 * # A-D, comma and semicolon for pauses
  transfer TARGET   send the far end to somebody
  consult TARGET    ask somebody first; then `complete` or `cancel`
  take              take over the call of your other device
  move [NAME]       let your other devices ring for yours, or the one of this name
  devices           which other devices you have
  sound             sound devices, and which of them are in use
  microphone ID     speak into another one, also in this call; `default` follows the system
  speaker ID        hear through another one
  ringer ID         ring somewhere else
  accept, stay      when the far end wants to send you to somebody else
  end, quit         the call, the program";

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let line = line.trim();
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let needed = |order: fn(String) -> Self, what: &str| match rest {
            "" => Err(format!("{verb} needs {what}")),
            rest => Ok(order(rest.to_owned())),
        };
        let device = |device: Device| match rest {
            "" => Err(format!("{verb} needs an id, or `default`")),
            "default" => Ok(Self::Use(device, None)),
            id => Ok(Self::Use(device, Some(id.to_owned()))),
        };
        let alone = |order: Self| match rest {
            "" => Ok(order),
            _ => Err(format!("{verb} stands alone")),
        };
        match verb {
            "call" => needed(Self::Call, "a number, a name or an address"),
            "answer" if rest == "end" => Ok(Self::Answer(Others::Ended)),
            "answer" => alone(Self::Answer(Others::Held)),
            "decline" => alone(Self::Decline),
            "hold" => alone(Self::Hold),
            "resume" => alone(Self::Resume),
            "swap" => alone(Self::Swap),
            "merge" => alone(Self::Merge),
            "split" => alone(Self::Split),
            "leave" => alone(Self::Leave),
            "participants" => alone(Self::Participants),
            "add" => needed(Self::Add, "a number, a name or an address"),
            "remove" => needed(Self::Remove, "a name, a number or an address"),
            "mute" => alone(Self::Mute(true)),
            "unmute" => alone(Self::Mute(false)),
            "tones" => needed(Self::Tones, "tones"),
            "end" => alone(Self::End),
            "transfer" => needed(Self::Transfer, "a number, a name or an address"),
            "consult" => needed(Self::Consult, "a number, a name or an address"),
            "complete" => alone(Self::Complete),
            "cancel" => alone(Self::Cancel),
            "accept" => alone(Self::Consent(true)),
            "stay" => alone(Self::Consent(false)),
            "take" => alone(Self::Take),
            "move" => Ok(Self::Move((!rest.is_empty()).then(|| rest.to_owned()))),
            "devices" => alone(Self::Devices),
            "sound" => alone(Self::Sound),
            "microphone" => device(Device::Microphone),
            "speaker" => device(Device::Speaker),
            "ringer" => device(Device::Ringer),
            "quit" => alone(Self::Quit),
            _ => Err(format!("{verb:?} is no order; there are:\n{ORDERS}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_verb_and_what_it_needs() {
        assert_eq!("call 101".parse(), Ok(Order::Call("101".into())));
        assert_eq!(
            "  transfer  sip:bob@x  ".parse(),
            Ok(Order::Transfer("sip:bob@x".into()))
        );
        assert_eq!("answer".parse(), Ok(Order::Answer(Others::Held)));
        assert_eq!("answer end".parse(), Ok(Order::Answer(Others::Ended)));
        assert_eq!("stay".parse(), Ok(Order::Consent(false)));
        assert_eq!("move".parse(), Ok(Order::Move(None)));
        assert_eq!(
            "move desk phone".parse(),
            Ok(Order::Move(Some("desk phone".into())))
        );
        assert_eq!("speaker default".parse(), Ok(Order::Use(Device::Speaker, None)));
        let usb = Some("pulseaudio:usb".to_owned());
        assert_eq!(
            "ringer pulseaudio:usb".parse(),
            Ok(Order::Use(Device::Ringer, usb))
        );
    }

    #[test]
    fn mistakes_are_told() {
        for line in [
            "call",
            "hold on",
            "answer now",
            "",
            "dance",
            "speaker",
            "devices all",
        ] {
            assert!(line.parse::<Order>().is_err(), "{line}");
        }
    }

    #[test]
    fn every_verb_is_in_the_help() {
        let words: Vec<_> = ORDERS.split(|c: char| !c.is_ascii_alphabetic()).collect();
        for verb in [
            "call", "answer", "decline", "hold", "resume", "swap", "merge", "split", "leave", "mute",
            "unmute", "tones", "end",
        ]
        .into_iter()
        .chain([
            "participants",
            "add",
            "remove",
            "transfer",
            "consult",
            "complete",
            "cancel",
            "accept",
            "stay",
            "take",
            "move",
            "devices",
            "sound",
            "microphone",
            "speaker",
            "ringer",
            "quit",
        ]) {
            assert!(words.contains(&verb), "{verb}");
            let error = verb.parse::<Order>().err().unwrap_or_default();
            assert!(!error.contains("no order"), "{verb}");
        }
    }
}
