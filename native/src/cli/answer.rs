//! `clearline answer`: waits for calls and takes them, one after the other.

use clearline_core::CallState;
use serde_json::json;

use super::account::{Line, sign_in};
use super::args::AnswerArguments;
use super::audio::CallAudio;
use super::call::{Conversation, is_live};
use super::exit::{Exit, Failure};
use super::interrupt::{self, interrupted};
use super::output::Output;

/// Answers calls until enough have been answered, or the program is interrupted.
pub(crate) async fn run(arguments: AnswerArguments, output: &Output) -> Result<Exit, Failure> {
    let mut interrupt = interrupt::watch();
    let audio = CallAudio::new(&arguments.audio)?;
    let Line { phone, figures } = sign_in(&arguments.account, audio.clone(), 1, &mut interrupt).await?;
    output.event("registered", "registered, waiting for calls", json!({}));
    let mut answered = 0;
    let exit = loop {
        if arguments.times.is_some_and(|times| answered >= times) {
            break Exit::Done;
        }
        let events = phone.subscribe();
        let call = tokio::select! {
            call = phone.incoming() => call.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?,
            () = interrupted(&mut interrupt) => break Exit::Interrupted,
        };
        if let Some(info) = call.info() {
            output.call(&info, Some(format!("incoming call from {}", info.remote.uri)));
        }
        // A caller who gives up at this very moment is no failure.
        if call.answer().await.is_err() && !is_live(&phone, call.id()) {
            continue;
        }
        let (audio, figures) = (audio.clone(), figures.clone());
        let conversation = Conversation {
            call,
            audio,
            conduct: &arguments.conduct,
            figures,
            output,
            shown: Some(CallState::Incoming),
        };
        if conversation.follow(events, &mut interrupt).await == Exit::Interrupted && *interrupt.borrow() {
            break Exit::Interrupted;
        }
        answered += 1;
    };
    phone.stop().await;
    Ok(exit)
}
