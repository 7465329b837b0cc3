//! Gives everything that tells who, where or what a pseudonym, by where it stands.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::pseudonyms::Pseudonyms;
use crate::config::{Config, Token};
use crate::cut;
use crate::io::{Input, MediaError, MediaEvent, MediaOutcome};
use crate::secret::Secret;
use crate::sip::{HeaderName, SIPFRAG, UriBuf, escape_header, percent_decode, reason_phrase};
use crate::subscription::conference_info::{self, ConferenceInfo};
use crate::subscription::dialog_info::{self, DialogInfo};
use crate::user_agent::Command;

/// Stands for every password that is not empty.
const PASSWORD: &str = "redacted";

/// Headers that hold addresses with names.
const ADDRESSES: &[HeaderName<'static>] = &[
    HeaderName::Contact,
    HeaderName::Diversion,
    HeaderName::From,
    HeaderName::HistoryInfo,
    HeaderName::PAssertedIdentity,
    HeaderName::PAssociatedUri,
    HeaderName::PCalledPartyId,
    HeaderName::PPreferredIdentity,
    HeaderName::Path,
    HeaderName::RecordRoute,
    HeaderName::ReferTo,
    HeaderName::ReferredBy,
    HeaderName::RemotePartyId,
    HeaderName::ReplyTo,
    HeaderName::Route,
    HeaderName::ServiceRoute,
    HeaderName::To,
];

/// Headers that are kept but for URIs and addresses in them.
const PROTOCOL: &[HeaderName<'static>] = &[
    HeaderName::Accept,
    HeaderName::AcceptEncoding,
    HeaderName::AlertInfo,
    HeaderName::Allow,
    HeaderName::AllowEvents,
    HeaderName::AnswerMode,
    HeaderName::CSeq,
    HeaderName::CallId,
    HeaderName::CallInfo,
    HeaderName::ContentDisposition,
    HeaderName::ContentEncoding,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::Date,
    HeaderName::Event,
    HeaderName::Expires,
    HeaderName::FlowTimer,
    HeaderName::InfoPackage,
    HeaderName::Join,
    HeaderName::MaxBreadth,
    HeaderName::MaxForwards,
    HeaderName::MimeVersion,
    HeaderName::MinExpires,
    HeaderName::MinSe,
    HeaderName::PAnswerState,
    HeaderName::PEarlyMedia,
    HeaderName::Priority,
    HeaderName::Privacy,
    HeaderName::ProxyRequire,
    HeaderName::RAck,
    HeaderName::RSeq,
    HeaderName::Reason,
    HeaderName::RecvInfo,
    HeaderName::ReferSub,
    HeaderName::Replaces,
    HeaderName::Require,
    HeaderName::RetryAfter,
    HeaderName::Server,
    HeaderName::SessionExpires,
    HeaderName::SubscriptionState,
    HeaderName::Supported,
    HeaderName::TargetDialog,
    HeaderName::Timestamp,
    HeaderName::Unsupported,
    HeaderName::UserAgent,
    HeaderName::Via,
];

/// Headers with parameters of authentication.
const AUTHENTICATION: &[HeaderName<'static>] = &[
    HeaderName::AuthenticationInfo,
    HeaderName::Authorization,
    HeaderName::ProxyAuthenticate,
    HeaderName::ProxyAuthorization,
    HeaderName::WwwAuthenticate,
];

/// Parameters of authentication without which the answer would be another one.
const KEPT_PARAMETERS: [&str; 6] = ["realm", "qop", "algorithm", "stale", "error", "nc"];

/// A configuration read from a log, which holds no password.
pub(super) fn with_password(mut config: Config) -> Config {
    config.password = Secret::new(PASSWORD);
    config.token = config.token.map(without_secret);
    config
}

/// A command read from a log, which holds no password.
pub(super) fn with_renewed_password(command: Command) -> Command {
    if let Command::SetPassword(_) = command {
        return Command::SetPassword(Secret::new(PASSWORD));
    }
    if let Command::SetToken(token) = command {
        return Command::SetToken(without_secret(token));
    }
    command
}

fn without_secret(token: Token) -> Token {
    Token {
        secret: Secret::new(PASSWORD),
        expires_at: token.expires_at,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Redactor {
    pseudonyms: Pseudonyms,
}

impl Redactor {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self {
            pseudonyms: Pseudonyms::new(key),
        }
    }

    pub(super) fn config(&mut self, config: &Config) -> Config {
        let mut redacted = with_password(config.clone());
        redacted.address_of_record = self.uri(&config.address_of_record);
        redacted.preferred_identity = config.preferred_identity.as_ref().map(|uri| self.uri(uri));
        redacted.conference_factory = config.conference_factory.as_ref().map(|uri| self.uri(uri));
        redacted.auth_user = self.pseudonyms.word(&config.auth_user);
        redacted.display_name = self.pseudonyms.word(&config.display_name);
        redacted.push = None;
        for server in &mut redacted.servers {
            // What follows a question mark may be a token.
            let (place, query) = cut::before(&server.url, b'?');
            server.url = self.text(place) + &self.pseudonyms.word(query);
        }
        redacted
    }

    pub(super) fn input(&mut self, input: &Input) -> Input {
        match input {
            Input::Wake | Input::Connected { .. } | Input::Environment(_) => input.clone(),
            Input::Disconnected { connection, reason } => Input::Disconnected {
                connection: *connection,
                reason: self.text(reason),
            },
            Input::Received { connection, message } => Input::Received {
                connection: *connection,
                message: self.message(message).into_bytes(),
            },
            Input::MediaDone { request, result } => Input::MediaDone {
                request: *request,
                result: match result {
                    Ok(MediaOutcome::Description { sdp }) => Ok(MediaOutcome::Description {
                        sdp: self.description(sdp),
                    }),
                    Ok(MediaOutcome::Done) => Ok(MediaOutcome::Done),
                    Err(error) => Err(MediaError {
                        kind: error.kind,
                        detail: self.pseudonyms.shaped(&error.detail),
                    }),
                },
            },
            Input::Media {
                session,
                event: MediaEvent::DtmfReceived { tone },
            } => Input::Media {
                session: *session,
                event: MediaEvent::DtmfReceived {
                    tone: if tone.is_ascii_digit() {
                        self.pseudonyms.digit()
                    } else {
                        *tone
                    },
                },
            },
            Input::Media {
                session,
                event: MediaEvent::Candidates { fragment, matters },
            } => Input::Media {
                session: *session,
                event: MediaEvent::Candidates {
                    fragment: self.description(fragment),
                    matters: *matters,
                },
            },
            Input::Media { session, event } => Input::Media {
                session: *session,
                event: event.clone(),
            },
        }
    }

    pub(super) fn command(&mut self, command: &Command) -> Command {
        let mut command = with_renewed_password(command.clone());
        if let Command::Call { target, options, .. } | Command::Consult { target, options, .. } = &mut command
        {
            options.display_name = options
                .display_name
                .take()
                .map(|name| self.pseudonyms.word(&name));
            *target = self.target(target);
        }
        if let Command::Subscribe { target, .. }
        | Command::Transfer(_, target)
        | Command::AddParticipant(_, target)
        | Command::RemoveParticipant(_, target) = &mut command
        {
            *target = self.target(target);
        }
        if let Command::SendDtmf(_, tones) = &mut command {
            *tones = self.digits(tones);
        }
        command
    }

    /// What a user has dialled.
    fn target(&mut self, target: &str) -> String {
        let is_number = !target.contains(|c: char| c.is_alphabetic());
        match target.split_once('@') {
            _ if is_number => self.pseudonyms.number(target),
            _ if target.contains(':') => self.text(target),
            Some((user, host)) => format!("{}@{}", self.pseudonyms.word(user), self.text(host)),
            None => self.pseudonyms.word(target),
        }
    }

    fn digits(&mut self, text: &str) -> String {
        let exchange = |c: char| {
            if c.is_ascii_digit() {
                self.pseudonyms.digit()
            } else {
                c
            }
        };
        text.chars().map(exchange).collect()
    }

    fn uri(&mut self, uri: &UriBuf) -> UriBuf {
        // The shape stays, so this is a URI; if ever it were none, no name may slip through.
        UriBuf::parse(self.text(uri.as_str()))
            .or_else(|_| UriBuf::parse("sip:redacted@redacted.invalid"))
            .unwrap_or_else(|_| uri.clone())
    }

    // --- messages --------------------------------------------------------------------------------------------

    fn message(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return text.into_owned();
        }
        let start = text.len() - text.trim_start_matches(['\r', '\n']).len();
        let ends = ["\r\n\r\n", "\n\n"]
            .into_iter()
            .filter_map(|end| Some(start + text[start..].find(end)? + end.len()));
        // Without the end of its headers it is no message, and may be anything.
        let Some(head_end) = ends.min() else {
            return self.pseudonyms.shaped(&text);
        };
        let (head, body) = cut::at(&text, head_end);
        let mut lines = head.split_inclusive('\n');
        let mut redacted = String::with_capacity(text.len());
        for line in lines.by_ref() {
            let (line, end) = split_end(line);
            redacted.push_str(&self.start_line(line));
            redacted.push_str(end);
            if !line.is_empty() {
                break;
            }
        }
        let mut name = HeaderName::Other("");
        let mut content_type = "";
        let mut length = None;
        for line in lines {
            let (line, end) = split_end(line);
            let value = match line.split_once(':') {
                Some((own, value)) if !line.starts_with([' ', '\t']) => {
                    redacted.push_str(&line[..=own.len()]);
                    name = HeaderName::from(own.trim());
                    value
                }
                // A folded line goes on with the one before.
                Some(_) | None => line,
            };
            if name == HeaderName::ContentType && content_type.is_empty() {
                content_type = value.trim();
            }
            if name == HeaderName::ContentLength && length.is_none() {
                length = Some((
                    redacted.len(),
                    value.len(),
                    value.trim().parse() == Ok(body.len()),
                ));
            }
            redacted.push_str(&self.header(name, value));
            redacted.push_str(end);
        }
        let body = self.body(content_type, body);
        // A length that was right stays right; a wrong one is part of what happened.
        if let Some((at, old, true)) = length {
            redacted.replace_range(at..at + old, &format!(" {}", body.len()));
        }
        redacted + &body
    }

    fn start_line(&mut self, line: &str) -> String {
        let Some((version, rest)) = line
            .split_once(' ')
            .filter(|(version, _)| version.starts_with("SIP/"))
        else {
            return self.text(line);
        };
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_standard = status.parse().is_ok_and(|status| reason_phrase(status) == reason);
        let reason = if is_standard {
            reason.to_owned()
        } else {
            self.pseudonyms.shaped(reason)
        };
        format!("{version} {status} {reason}")
    }

    fn header(&mut self, name: HeaderName<'_>, value: &str) -> String {
        if ADDRESSES.contains(&name) {
            let elements: Vec<_> = elements(value).into_iter().map(|it| self.address(it)).collect();
            elements.join(",")
        } else if PROTOCOL.contains(&name) {
            self.text(value)
        } else if AUTHENTICATION.contains(&name) {
            let elements: Vec<_> = elements(value).into_iter().map(|it| self.parameter(it)).collect();
            elements.join(",")
        } else {
            self.pseudonyms.shaped(value)
        }
    }

    /// A name, an address and parameters.
    fn address(&mut self, element: &str) -> String {
        let (name, rest) = cut::at(element, name_end(element));
        self.pseudonyms.word(name) + &self.text(rest)
    }

    /// One parameter of a challenge or of credentials, the first one with the scheme before it.
    fn parameter(&mut self, element: &str) -> String {
        let Some((name, value)) = element.split_once('=') else {
            return self.pseudonyms.shaped(element);
        };
        let last = name.split_whitespace().next_back().unwrap_or_default();
        let is_kept = KEPT_PARAMETERS.iter().any(|kept| kept.eq_ignore_ascii_case(last));
        let value = if is_kept {
            self.text(value)
        } else {
            self.pseudonyms.word(value)
        };
        format!("{name}={value}")
    }

    fn body(&mut self, content_type: &str, body: &str) -> String {
        let essence = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match essence.as_str() {
            "application/sdp" | "application/trickle-ice-sdpfrag" => self.description(body),
            "application/dtmf-relay" | "application/dtmf" => self.digits(body),
            SIPFRAG => self.fragment(body),
            dialog_info::MEDIA_TYPE => self.dialogs(body),
            conference_info::MEDIA_TYPE => self.participants(body),
            multipart if multipart.starts_with("multipart/") => self.parts(body),
            _ => self.pseudonyms.shaped(body),
        }
    }

    /// The status a fragment begins with; nothing else of it is read.
    fn fragment(&mut self, body: &str) -> String {
        let (line, rest) = cut::at(body, body.find(['\r', '\n']).unwrap_or(body.len()));
        self.start_line(line) + &self.pseudonyms.shaped(rest)
    }

    /// Who is in a call with whom; the dialogs' identifiers stay.
    fn dialogs(&mut self, body: &str) -> String {
        let Ok(mut info) = DialogInfo::read(body.as_bytes()) else {
            return self.pseudonyms.shaped(body);
        };
        info.entity = self.text(&info.entity);
        for dialog in &mut info.dialogs {
            dialog.device = dialog.device.take().map(|name| self.pseudonyms.shaped(&name));
            for participant in [&mut dialog.local, &mut dialog.remote] {
                participant.display_name = self.pseudonyms.shaped(&participant.display_name);
                participant.identity = participant.identity.take().map(|uri| self.text(&uri));
                participant.target = participant.target.take().map(|uri| self.text(&uri));
            }
        }
        info.write()
    }

    /// Who is in a conference, and what it is about.
    fn participants(&mut self, body: &str) -> String {
        let Ok(mut info) = ConferenceInfo::read(body.as_bytes()) else {
            return self.pseudonyms.shaped(body);
        };
        info.entity = self.text(&info.entity);
        if let Some(description) = &mut info.description {
            description.display_text = self.pseudonyms.shaped(&description.display_text);
            description.subject = self.pseudonyms.shaped(&description.subject);
        }
        for user in &mut info.users {
            user.entity = self.text(&user.entity);
            user.display_text = user.display_text.take().map(|name| self.pseudonyms.shaped(&name));
            for endpoint in &mut user.endpoints {
                endpoint.entity = self.text(&endpoint.entity);
                let name = endpoint.display_text.take();
                endpoint.display_text = name.map(|name| self.pseudonyms.shaped(&name));
            }
        }
        info.write()
    }

    /// A body of several parts, each by its own type.
    fn parts(&mut self, body: &str) -> String {
        let (mut in_head, mut is_description) = (true, false);
        let mut redacted = String::with_capacity(body.len());
        for line in body.split_inclusive('\n') {
            if line.starts_with("--") {
                (in_head, is_description) = (true, false);
                redacted.push_str(line);
            } else if in_head {
                let lower = line.to_ascii_lowercase();
                is_description |= lower.contains("application/sdp") || lower.contains("-sdpfrag");
                in_head = !line.trim().is_empty();
                redacted.push_str(&self.text(line));
            } else if is_description {
                redacted.push_str(&self.description_line(line));
            } else {
                redacted.push_str(&self.pseudonyms.shaped(line));
            }
        }
        redacted
    }

    fn description(&mut self, sdp: &str) -> String {
        sdp.split_inclusive('\n')
            .map(|line| self.description_line(line))
            .collect()
    }

    fn description_line(&mut self, line: &str) -> String {
        let (kind, value) = cut::at(line, line.find('=').map_or(0, |at| at + 1));
        match kind {
            "o=" => {
                let (user, rest) = cut::at(value, value.find(' ').unwrap_or(0));
                kind.to_owned() + &self.pseudonyms.word(user) + &self.text(rest)
            }
            "s=" | "i=" | "u=" | "e=" | "p=" | "k=" => kind.to_owned() + &self.pseudonyms.shaped(value),
            _ if ["ice-pwd:", "ice-ufrag:", "crypto:", "ssrc:", "msid:"]
                .iter()
                .any(|it| value.starts_with(it)) =>
            {
                let (name, secret) = cut::at(value, value.find(':').map_or(0, |at| at + 1));
                match secret.split_once("inline:") {
                    Some((suite, key)) => format!("{kind}{name}{suite}inline:{}", self.pseudonyms.word(key)),
                    None => format!("{kind}{name}{}", self.pseudonyms.word(secret)),
                }
            }
            _ => kind.to_owned() + &self.text(value),
        }
    }

    // --- text ------------------------------------------------------------------------------------------------

    /// Text whose URIs and addresses get pseudonyms and the rest stays.
    fn text(&mut self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let is_start = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            let found = is_start
                .then(|| self.uri_in(rest).or_else(|| self.ip_in(rest)))
                .flatten();
            let found = found.or_else(|| self.headers_in(rest));
            let (length, replaced) = match found {
                Some(found) => found,
                None => {
                    let c = rest.chars().next().unwrap_or(' ');
                    (c.len_utf8(), c.to_string())
                }
            };
            redacted.push_str(&replaced);
            at += length;
        }
        redacted
    }

    /// The user part of a URI that `rest` begins with, scheme included: how long it is, and what takes its place.
    fn uri_in(&mut self, rest: &str) -> Option<(usize, String)> {
        let colon = rest.find(':').filter(|at| *at <= 6)?;
        let (scheme, after) = cut::at(rest, colon + 1);
        let is = |known: &str| scheme[..colon].eq_ignore_ascii_case(known);
        if is("tel") {
            let number = &after[..after.find([';', '>', '"', ' ', ',']).unwrap_or(after.len())];
            return Some((
                scheme.len() + number.len(),
                scheme.to_owned() + &self.pseudonyms.number(number),
            ));
        }
        if !["sip", "sips", "im", "pres", "mailto", "xmpp"]
            .into_iter()
            .any(is)
        {
            return None;
        }
        let end = after.find(['<', '>', '"', ' ', '\t']).unwrap_or(after.len());
        let (user, host) = after[..end].split_once('@')?;
        let host = &host[..host.find([':', ';', '?', ',']).unwrap_or(host.len())];
        let is_random = host.ends_with(".invalid") && !self.pseudonyms.knows(user);
        let other = if is_random {
            user.to_owned()
        } else {
            self.user(user)
        };
        Some((scheme.len() + user.len(), scheme.to_owned() + &other))
    }

    /// A user part, with parameters or a password behind it.
    fn user(&mut self, user: &str) -> String {
        let (name, more) = cut::at(user, user.find([';', ':']).unwrap_or(user.len()));
        self.pseudonyms.word(name) + &self.pseudonyms.word(more)
    }

    /// The headers of a URI, which may hold further URIs in escapes.
    fn headers_in(&mut self, rest: &str) -> Option<(usize, String)> {
        let headers = &rest[..rest.find(['<', '>', '"', ' ', '\t']).unwrap_or(rest.len())];
        let is_risky = rest.starts_with('?') && headers.contains('%');
        is_risky.then(|| {
            let each = headers[1..].split('&').map(|header| self.header_in(header));
            (headers.len(), format!("?{}", each.collect::<Vec<_>>().join("&")))
        })
    }

    /// A header of a URI. One that names a dialog holds what is kept elsewhere, too.
    fn header_in(&mut self, header: &str) -> String {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        if name.eq_ignore_ascii_case("replaces") {
            let dialog = self.text(&percent_decode(value));
            format!("{name}={}", escape_header(&dialog))
        } else if name.eq_ignore_ascii_case("require") {
            header.to_owned()
        } else {
            self.pseudonyms.shaped(header)
        }
    }

    fn ip_in(&mut self, rest: &str) -> Option<(usize, String)> {
        let length = rest
            .find(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.')
            .unwrap_or(rest.len());
        let is_word = |end: usize| !rest[end..].starts_with(|c: char| c.is_ascii_alphanumeric());
        let v6 = rest[..length].trim_end_matches(['.', ':']);
        if let Ok(address) = v6.parse::<Ipv6Addr>() {
            return is_word(v6.len()).then(|| (v6.len(), self.pseudonyms.ipv6(v6, address)));
        }
        let length = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let v4 = rest[..length].trim_end_matches('.');
        let address = v4
            .parse::<Ipv4Addr>()
            .ok()
            .filter(|address| !address.is_unspecified())?;
        is_word(v4.len()).then(|| (v4.len(), self.pseudonyms.ipv4(address)))
    }
}

/// A line without its end, and the end.
fn split_end(line: &str) -> (&str, &str) {
    cut::at(line, line.trim_end_matches(['\r', '\n']).len())
}

/// Where the display name before an address ends; 0 if there is none.
fn name_end(element: &str) -> usize {
    let start = element.len() - element.trim_start().len();
    let quoted = element[start..].strip_prefix('"').and_then(|rest| {
        let mut escaped = false;
        let is_end = |c: char| {
            let was_escaped = escaped;
            escaped = c == '\\' && !was_escaped;
            c == '"' && !was_escaped
        };
        rest.find(is_end).map(|end| start + end + 2)
    });
    let from = quoted.unwrap_or(start);
    match element[from..].find(['<', ';']) {
        Some(at) if element[from + at..].starts_with('<') => from + at,
        _ => quoted.unwrap_or(0),
    }
}

/// Splits at commas outside quotes and angle brackets, and keeps the spaces.
fn elements(value: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    value
        .split(|c: char| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '<' if !quoted => bracketed = true,
                '>' if !quoted => bracketed = false,
                _ => {}
            }
            c == ',' && !quoted && !bracketed
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::id::{CallId, ConnectionId};
    use crate::sip::{Message, ReferTo, StatusLine};

    const INVITE: &str = "INVITE sip:alice@example.com;gr=urn:uuid:1 SIP/2.0\r\n\
        Via: SIP/2.0/WSS edge.example.com;branch=z9hG4bK1;received=203.0.113.77\r\n\
        v: SIP/2.0/UDP [2001:db8::77]:5060;branch=z9hG4bK2\r\n\
        Record-Route: <sip:192.0.2.77;lr>, <sip:edge.example.com;lr>\r\n\
        f: \"Bob \\\"B\\\" <x> Builder\" <sip:bob.builder@example.com>;tag=b1\r\n\
        To: Alice Smith <sip:alice@example.com>\r\n\
        Call-ID: c1@198.51.100.77\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:r4nd0m@abc.invalid;transport=ws>\r\n\
        P-Asserted-Identity: \"Builder, Bob\" <tel:+49-30-555-77>,\r\n <sip:+493055577@example.com;user=phone>\r\n\
        Referred-By: <sip:carol@example.com?From=%3Csip%3Acarol%40example.com%3E>\r\n\
        Subject: call Carol back\r\n\
        X-Customer: Carol 4711\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 199\r\n\r\n\
        v=0\r\no=bob 1 2 IN IP4 198.51.100.77\r\ns=Bob's call\r\nc=IN IP6 2001:db8::77\r\nt=0 0\r\n\
        m=audio 9 RTP/AVP 0\r\na=candidate:1 1 udp 1 192.0.2.77 9 typ host\r\na=ice-pwd:s3cr3tice\r\na=fingerprint:sha-256 AB:CD:EF\r\n";

    /// Nothing of these may be left in a log.
    const TELLING: &[&str] = &[
        "alice",
        "Alice",
        "Smith",
        "bob",
        "Bob",
        "Builder",
        "builder",
        "carol",
        "Carol",
        "4711",
        "55577",
        "555-77",
        "203.0.113",
        "192.0.2",
        "198.51.100",
        "2001:db8",
        "s3cr3tice",
        "hunter2",
        "back",
    ];

    fn redact(text: &str) -> String {
        Redactor::new([5; 32]).message(text.as_bytes())
    }

    fn assert_silent(text: &str) {
        for telling in TELLING {
            assert!(!text.contains(telling), "{telling} in\n{text}");
        }
    }

    /// Who talks to whom is hidden; which dialog it is, and so what can be done with it, is not.
    #[test]
    fn a_document_of_dialogs_keeps_its_meaning() {
        let document = concat!(
            "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"3\" state=\"full\" ",
            "entity=\"sip:4711@example.com\"><dialog id=\"d1\" call-id=\"c1\" local-tag=\"l\" remote-tag=\"r\">",
            "<state>confirmed</state><remote><identity display=\"hunter2\">sip:55577@example.com</identity>",
            "<target uri=\"sip:55577@example.com;gr=urn:uuid:1\"/></remote></dialog></dialog-info>"
        );
        let notify = format!(
            "NOTIFY sip:4711@example.com SIP/2.0\r\nContent-Type: application/dialog-info+xml\r\n\
             Content-Length: {}\r\n\r\n{document}",
            document.len()
        );
        let redacted = redact(&notify);
        assert_silent(&redacted);
        let body = Message::parse(redacted.as_bytes()).unwrap().body().to_vec();
        let (before, after) = (
            DialogInfo::read(document.as_bytes()).unwrap(),
            DialogInfo::read(&body).unwrap(),
        );
        assert_eq!(after.version, before.version);
        assert_eq!(after.dialogs[0].name, before.dialogs[0].name);
        assert_eq!(
            after.dialogs[0].replaces_value(),
            before.dialogs[0].replaces_value()
        );
        let target = after.dialogs[0].remote.target.clone().unwrap();
        assert!(target.ends_with("@example.com;gr=urn:uuid:1"), "{target}");
    }

    /// Who is there is hidden; how many and where they stand is not.
    #[test]
    fn a_document_of_a_conference_keeps_its_meaning() {
        let document = concat!(
            "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" version=\"3\" entity=\"sip:4711@example.com\">",
            "<conference-description><subject>hunter2</subject></conference-description>",
            "<users><user entity=\"sip:55577@example.com\"><display-text>hunter2</display-text>",
            "<endpoint entity=\"sip:55577@example.com;gr=1\"><display-text>hunter2</display-text>",
            "<status>on-hold</status></endpoint></user></users></conference-info>"
        );
        let notify = format!(
            "NOTIFY sip:4711@example.com SIP/2.0\r\nContent-Type: application/conference-info+xml\r\n\
             Content-Length: {}\r\n\r\n{document}",
            document.len()
        );
        let redacted = redact(&notify);
        assert_silent(&redacted);
        let body = Message::parse(redacted.as_bytes()).unwrap().body().to_vec();
        let (before, after) = (
            ConferenceInfo::read(document.as_bytes()).unwrap(),
            ConferenceInfo::read(&body).unwrap(),
        );
        assert_eq!(after.version, before.version);
        let status = |info: &ConferenceInfo| info.users[0].endpoints[0].status;
        assert_eq!(status(&after), status(&before));
    }

    #[test]
    fn a_message_loses_everybody_and_keeps_its_meaning() {
        let redacted = redact(INVITE);
        assert_silent(&redacted);
        let (before, after) = (
            Message::parse(INVITE.as_bytes()).unwrap(),
            Message::parse(redacted.as_bytes()).unwrap(),
        );
        assert_eq!(before.validate().is_ok(), after.validate().is_ok());
        assert_eq!(after.from().unwrap().tag(), Some("b1"));
        assert_eq!(after.vias().flatten().count(), 2);
        assert_eq!(after.record_routes().flatten().count(), 2);
        assert_eq!(
            after.addresses(HeaderName::PAssertedIdentity).flatten().count(),
            2
        );
        assert_eq!(
            after.request_uri().unwrap().user(),
            after.to().unwrap().uri.user()
        );
        assert_eq!(
            after
                .contacts()
                .flatten()
                .next()
                .unwrap()
                .address()
                .unwrap()
                .uri
                .user(),
            Some("r4nd0m")
        );
        assert_eq!(
            after.header(HeaderName::ContentLength),
            Some(after.body().len().to_string().as_str())
        );
        let sdp = std::str::from_utf8(after.body()).unwrap();
        let description = crate::session_description::SessionDescription::parse(sdp).unwrap();
        assert_eq!(description.media().count(), 1);
        assert!(sdp.contains("AB:CD:EF"), "{sdp}");
    }

    #[test]
    fn transfers_keep_what_they_are_about() {
        let refer = "REFER sip:alice@example.com SIP/2.0\r\nRefer-To: <sip:alice@example.com;gr=1\
            ?Replaces=77%40203.0.113.9%3Bto-tag%3Da%3Bfrom-tag%3Db&Require=replaces&Subject=alice%20is%20back>\r\n\r\n";
        let redacted = redact(refer);
        assert_silent(&redacted);
        let message = Message::parse(redacted.as_bytes()).unwrap();
        let refer_to = ReferTo::parse(message.header(HeaderName::ReferTo).unwrap()).unwrap();
        let replaces = refer_to.replaces.unwrap();
        assert!(
            replaces.starts_with("77@") && replaces.ends_with(";to-tag=a;from-tag=b"),
            "{replaces}"
        );

        let notify = "NOTIFY sip:alice@example.com SIP/2.0\r\nEvent: refer;id=2\r\n\
            Content-Type: message/sipfrag;version=2.0\r\n\r\nSIP/2.0 486 Busy Here\r\nWarning: 399 alice\r\n";
        let redacted = redact(notify);
        assert_silent(&redacted);
        let message = Message::parse(redacted.as_bytes()).unwrap();
        let line = StatusLine::parse(message.body()).unwrap();
        assert_eq!((line.status, line.reason), (486, "Busy Here"));
        assert_eq!(message.header(HeaderName::Event), Some("refer;id=2"));
    }

    #[test]
    fn a_wrong_length_stays_wrong() {
        let text = "MESSAGE sip:alice@h SIP/2.0\r\nContent-Length: 900\r\n\r\nhello";
        assert!(redact(text).contains("Content-Length: 900\r\n"));
    }

    #[test]
    fn challenges_keep_what_decides_about_the_answer() {
        let text = "SIP/2.0 401 alice must prove it\r\nWWW-Authenticate: Digest realm=\"example.com\", \
            nonce=\"hunter2\", algorithm=SHA-256, qop=\"auth\"\r\n\r\n";
        let redacted = redact(text);
        assert_silent(&redacted);
        let message = Message::parse(redacted.as_bytes()).unwrap();
        let challenge = message.challenges().next().unwrap().unwrap();
        assert_eq!(challenge.param("realm").as_deref(), Some("example.com"));
        assert_eq!(challenge.param("algorithm").as_deref(), Some("SHA-256"));
        assert!(challenge.param("nonce").is_some_and(|nonce| nonce.len() == 7));
    }

    #[test]
    fn what_is_no_message_may_be_anything() {
        assert_silent(&redact("alice alice alice"));
        assert_silent(&redact(
            "MESSAGE sip:h SIP/2.0\r\nContent-Type: text/plain\r\n\r\ncall Bob 4711",
        ));
        assert_eq!(redact("\r\n\r\n"), "\r\n\r\n");
    }

    #[test]
    fn accounts_and_commands_have_no_names_and_no_secrets() {
        let mut redactor = Redactor::new([6; 32]);
        let mut config = Config::new(
            UriBuf::parse("sip:alice@example.com").unwrap(),
            "wss://192.0.2.77/sip?token=hunter2",
            "urn:uuid:1",
        );
        config.password = Secret::new("hunter2");
        config.display_name = "Alice Smith".to_owned();
        let redacted = redactor.config(&config);
        assert_silent(&format!("{redacted:?} {}", redacted.address_of_record));
        let call = |target: &str| Command::Call {
            id: CallId(1),
            target: target.to_owned(),
            options: crate::call::CallOptions::default(),
        };
        let targets = [
            "bob",
            "sip:bob@192.0.2.77",
            "bob@example.com",
            "+49 30 555-77",
            "4711,,55577#",
            "tel:+493055577",
        ];
        for target in targets {
            assert_silent(&format!("{:?}", redactor.command(&call(target))));
        }
        let password = Command::SetPassword(Secret::new("hunter2"));
        assert_eq!(
            redactor.command(&password),
            Command::SetPassword(Secret::new(PASSWORD))
        );
        let lost = Input::Disconnected {
            connection: ConnectionId(1),
            reason: "192.0.2.77: refused".to_owned(),
        };
        assert_silent(&format!("{:?}", redactor.input(&lost)));
    }
}
